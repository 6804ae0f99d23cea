"""Namespaces of metadata definitions for tests."""

import pytest

from tests.api.world import Client, Json

BASE = "/v2/metadefs/namespaces"
FULL: Json = {
    "namespace": "OS::Full",
    "display_name": "Full",
    "description": "All there can be",
    "visibility": "public",
    "protected": False,
    "owner": "a",
    "resource_type_associations": [
        {"name": "OS::Glance::Image", "prefix": "hw_", "properties_target": "image"},
        {"name": "OS::Nova::Flavor"},
    ],
    "properties": {
        "cores": {"title": "Cores", "type": "integer", "default": 4, "minimum": 1, "readonly": False},
        "flag": {"title": "Flag", "type": "boolean", "default": True, "operators": ["<or>"]},
        "list": {"title": "L", "type": "array", "items": {"type": "string", "enum": ["a"]}, "default": [1]},
    },
    "objects": [
        {"name": "Box 1", "required": ["p"], "properties": {"p": {"title": "P", "type": "string"}}},
        {"name": "Bare", "description": "x"},
    ],
    "tags": [{"name": "red"}, {"name": "blue"}],
}


@pytest.fixture
def full(admin: Client) -> str:
    """Where a public namespace of project a with all kinds of parts is."""
    response = admin.post(BASE, FULL)
    assert response.status_code == 201, response.text
    return f"{BASE}/OS::Full"


def make(admin: Client, name: str, **fields: object) -> str:
    response = admin.post(BASE, {"namespace": name, **fields})
    assert response.status_code == 201, response.text
    return f"{BASE}/{name}"


def names(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{BASE}?{query}")
    assert response.status_code == 200, response.text
    return [item["namespace"] for item in response.json()["namespaces"]]
