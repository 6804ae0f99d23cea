"""Who may do what with metadata definitions, and the schemas that describe them."""

from typing import Any

import jsonschema_rs
import pytest

from glimpse.domain.metadef_schemas import METADEF_SCHEMAS
from tests.api import definitions
from tests.api.definitions import BASE, FULL, make, names
from tests.api.world import READER, Client, World

full = definitions.full

PROPERTY = {"name": "p", "title": "P", "type": "string"}
READS = ("", "/objects", "/objects/Bare", "/properties", "/properties/cores", "/tags", "/tags/red")
WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "", {"namespace": "N"}),
    ("DELETE", "", None),
    ("POST", "/objects", {"name": "o"}),
    ("DELETE", "/objects", None),
    ("PUT", "/objects/Bare", {"name": "o"}),
    ("DELETE", "/objects/Bare", None),
    ("POST", "/properties", PROPERTY),
    ("DELETE", "/properties", None),
    ("PUT", "/properties/cores", PROPERTY),
    ("DELETE", "/properties/cores", None),
    ("POST", "/tags", {"tags": [{"name": "t"}]}),
    ("DELETE", "/tags", None),
    ("POST", "/tags/t", None),
    ("PUT", "/tags/red", {"name": "t"}),
    ("DELETE", "/tags/red", None),
    ("POST", "/resource_types", {"name": "t"}),
    ("DELETE", "/resource_types/OS::Nova::Flavor", None),
]
ROLELESS = "Persona rolf;project=a"


class TestPersonas:
    """The namespace is project a's; project a has a member (alice), a reader and somebody without roles."""

    @pytest.fixture
    def private(self, admin: Client) -> str:
        return make(admin, "P", **{**FULL, "namespace": "P", "visibility": "private"})

    @pytest.mark.parametrize("part", [*READS, "/resource_types"])
    def test_reading(
        self, world: World, alice: Client, bob: Client, full: str, private: str, part: str
    ) -> None:
        reader, roleless = world.client(READER), world.client(ROLELESS)
        for client, public, own in ((alice, 200, 200), (reader, 200, 200), (bob, 200, 404)):
            assert client.get(f"{full}{part}").status_code == public
            assert client.get(f"{private}{part}").status_code == own
        assert roleless.get(f"{full}{part}").status_code == 404
        assert roleless.get(f"{private}{part}").status_code == 404

    @pytest.mark.parametrize(("method", "part", "body"), WRITES, ids=lambda value: str(value)[:20])
    def test_writing(
        self,
        world: World,
        alice: Client,
        bob: Client,
        admin: Client,
        full: str,
        private: str,
        method: str,
        part: str,
        body: Any,
    ) -> None:
        content = {} if body is None else {"json": body}
        before = admin.get(full).json(), admin.get(private).json()
        reader, roleless = world.client(READER), world.client(ROLELESS)
        for client, public, own in (
            (alice, 403, 403),
            (reader, 403, 403),
            (bob, 403, 404),
            (roleless, 404, 404),
        ):
            assert client.ask(method, f"{full}{part}", **content).status_code == public
            assert client.ask(method, f"{private}{part}", **content).status_code == own
        assert (admin.get(full).json(), admin.get(private).json()) == before
        assert admin.ask(method, f"{full}{part}", **content).status_code in (200, 201, 204)

    def test_lists(
        self, world: World, alice: Client, bob: Client, drifter: Client, full: str, private: str
    ) -> None:
        assert names(alice) == names(world.client(READER)) == ["P", "OS::Full"]
        assert names(bob) == names(drifter) == ["OS::Full"]
        for path in (BASE, "/v2/metadefs/resource_types"):
            assert world.client(ROLELESS).get(path).status_code == 404

    def test_creating(self, world: World, alice: Client, reader: Client, full: str) -> None:
        for client in (alice, reader):
            assert client.post(BASE, {"namespace": "N"}).status_code == 403
        assert world.client(ROLELESS).post(BASE, {"namespace": "N"}).status_code == 404

    def test_anonymous(self, anonymous: Client, nobody: Client, full: str) -> None:
        assert anonymous.get(full).status_code == 404
        assert anonymous.delete(full).status_code == 404
        assert nobody.get(full).status_code == 401
        assert nobody.get("/v2/schemas/metadefs/tag").status_code == 401


@pytest.mark.parametrize("name", list(METADEF_SCHEMAS))
def test_schemas(drifter: Client, name: str) -> None:
    schema = drifter.get(f"/v2/schemas/metadefs/{name}").json()
    expected = name.replace("resource_type", "resource_type_association")
    assert schema["name"] == expected
    assert schema["additionalProperties"] is False
    assert set(schema["definitions"]) == {
        *("positiveInteger", "positiveIntegerDefault0", "stringArray", "property")
    }
    assert schema["required"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *(("namespaces", ""), ("namespace", "/OS::Full"), ("objects", "/OS::Full/objects")),
        *(("object", "/OS::Full/objects/Box 1"), ("properties", "/OS::Full/properties")),
        *(("property", "/OS::Full/properties/list"), ("tags", "/OS::Full/tags")),
        *(("tag", "/OS::Full/tags/red"), ("resource_types", "/OS::Full/resource_types")),
    ],
)
def test_schemas_describe_what_is_shown(alice: Client, full: str, name: str, path: str) -> None:
    """Clients judge what they get by these."""
    schema = alice.get(f"/v2/schemas/metadefs/{name}").json()
    document = alice.get(f"{BASE}{path}").json()
    jsonschema_rs.validate(schema, document)
    assert not jsonschema_rs.is_valid(schema, {**document, "foo": 1})


def test_no_other_schemas(admin: Client) -> None:
    for name in ("nothing", "Tag", "tags/x"):
        assert admin.get(f"/v2/schemas/metadefs/{name}").status_code == 404
