"""A catalog written and read through the API of whichever service answers: ours or upstream's."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.clients.keystone import Keystone
from tests.clients.process import Running

PERSONAS = {"admin": "admin", "demo": "demo", "reader": "demo", "demo2": "demo2"}
DATA_TYPE = {"Content-Type": "application/octet-stream"}
PATCH_TYPE = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
NAMESPACES = "/v2/metadefs/namespaces"

Answer = tuple[int, Any]


@dataclass(frozen=True)
class People:
    """Who calls: the tokens by the name of the user."""

    tokens: Mapping[str, str]
    other_project: str

    def calls(self, server: Running, user: str) -> httpx.Client:
        """A client of the user."""
        return server.client(self.tokens[user])


def people(keystone: Keystone) -> People:
    """Everybody with a new token."""
    tokens = {user: keystone.token(user, project) for user, project in PERSONAS.items()}
    return People(tokens, keystone.project_id("demo2"))


def data(name: str) -> bytes:
    """The data of an image: its own, the same on each call."""
    seed = hashlib.sha256(name.encode()).digest()
    return seed * (3000 + seed[0])


def ask(client: httpx.Client, method: str, path: str, **more: Any) -> Any:
    """The document of an answer, which must be a success."""
    answer = client.request(method, path, **more)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
    return answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else None


def create(client: httpx.Client, name: str, *, upload: bool = True, **fields: Any) -> str:
    """The id of a new image, with data unless it shall stay queued."""
    body = {"name": name, "disk_format": "raw", "container_format": "bare", **fields}
    identity: str = ask(client, "POST", "/v2/images", json=body)["id"]
    if upload:
        ask(client, "PUT", f"/v2/images/{identity}/file", content=data(name), headers=DATA_TYPE)
    return identity


def patch(client: httpx.Client, identity: str, *operations: Mapping[str, Any]) -> None:
    """Changes an image."""
    ask(client, "PATCH", f"/v2/images/{identity}", json=list(operations), headers=PATCH_TYPE)


def fill(server: Running, who: People, prefix: str) -> dict[str, str]:
    """Makes images of every sort and metadata definitions; the ids of the images by their sort."""
    with (
        who.calls(server, "admin") as admin,
        who.calls(server, "demo") as demo,
        who.calls(server, "demo2") as other,
    ):
        properties: dict[str, Any] = {"os_distro": "debian", "a b": "ü ♫", "empty": "", "long": "x" * 5000}
        made = {
            "plain": create(
                demo, f"{prefix}-plain", tags=["one", "two ♫"], min_disk=3, min_ram=64, **properties
            ),
            "queued": create(demo, f"{prefix}-queued", upload=False),
            "nameless": ask(demo, "POST", "/v2/images", json={})["id"],
            "shared": create(demo, f"{prefix}-shared", visibility="shared"),
            "deactivated": create(demo, f"{prefix}-deactivated"),
            "protected": create(demo, f"{prefix}-protected", protected=True),
            "hidden": create(demo, f"{prefix}-hidden", os_hidden=True),
            "deleted": create(demo, f"{prefix}-deleted", tags=["gone"], gone="yes"),
            "public": create(admin, f"{prefix}-public", visibility="public", architecture="x86_64"),
            "community": create(other, f"{prefix}-community", visibility="community"),
            "private": create(other, f"{prefix}-private", visibility="private"),
        }
        ask(demo, "POST", f"/v2/images/{made['shared']}/members", json={"member": who.other_project})
        path = f"/v2/images/{made['shared']}/members/{who.other_project}"
        ask(other, "PUT", path, json={"status": "accepted"})
        ask(demo, "POST", f"/v2/images/{made['protected']}/members", json={"member": who.other_project})
        ask(admin, "POST", f"/v2/images/{made['deactivated']}/actions/deactivate")
        ask(demo, "DELETE", f"/v2/images/{made['deleted']}")
        define(admin, f"{prefix}-one", visibility="public", protected=True)
        define(admin, f"{prefix}-two", visibility="private")
    return made


def define(admin: httpx.Client, name: str, **fields: Any) -> None:
    """A namespace with everything in it."""
    string = {"type": "string", "title": "A string", "enum": ["a", "b"], "default": "a"}
    number = {"type": "integer", "title": "A number", "minimum": 1, "maximum": 9, "operators": ["<or>"]}
    body = {
        "namespace": name,
        "display_name": f"The namespace {name} ♫",
        "description": "All that there is",
        **fields,
        "resource_type_associations": [
            {"name": "OS::Glance::Image"},
            {"name": "OS::Nova::Flavor", "prefix": "hw:", "properties_target": "image"},
        ],
        "properties": {"words": string, "count": number},
        "objects": [
            {
                "name": "thing",
                "description": "A thing",
                "required": ["height"],
                "properties": {"height": {**number, "title": "Height"}},
            }
        ],
        "tags": [{"name": "first"}, {"name": "second"}],
    }
    ask(admin, "POST", NAMESPACES, json=body)


def edit(server: Running, who: People, made: Mapping[str, str], prefix: str) -> None:
    """Changes much of what `fill` has made."""
    with (
        who.calls(server, "admin") as admin,
        who.calls(server, "demo") as demo,
        who.calls(server, "demo2") as other,
    ):
        patch(
            demo,
            made["plain"],
            {"op": "replace", "path": "/name", "value": f"{prefix}-renamed"},
            {"op": "replace", "path": "/os_distro", "value": "fedora"},
            {"op": "remove", "path": "/empty"},
            {"op": "add", "path": "/new", "value": "✓"},
            {"op": "replace", "path": "/tags", "value": ["two ♫", "three"]},
        )
        ask(demo, "PUT", f"/v2/images/{made['plain']}/tags/four")
        ask(demo, "DELETE", f"/v2/images/{made['plain']}/tags/three")
        ask(
            demo,
            "PUT",
            f"/v2/images/{made['queued']}/file",
            content=data(f"{prefix}-queued"),
            headers=DATA_TYPE,
        )
        path = f"/v2/images/{made['shared']}/members/{who.other_project}"
        ask(other, "PUT", path, json={"status": "rejected"})
        ask(demo, "DELETE", f"/v2/images/{made['protected']}/members/{who.other_project}")
        ask(admin, "POST", f"/v2/images/{made['deactivated']}/actions/reactivate")
        patch(demo, made["protected"], {"op": "replace", "path": "/protected", "value": False})
        ask(demo, "DELETE", f"/v2/images/{made['protected']}")
        patch(demo, made["hidden"], {"op": "replace", "path": "/os_hidden", "value": False})
        redefine(admin, f"{prefix}-one")
        ask(admin, "DELETE", f"{NAMESPACES}/{prefix}-two")


def redefine(admin: httpx.Client, name: str) -> None:
    """Changes everything in a namespace of `define`, and adds a little."""
    path = f"{NAMESPACES}/{name}"
    body = {"namespace": name, "display_name": "Another name", "visibility": "public", "protected": False}
    ask(admin, "PUT", path, json=body)
    ask(admin, "PUT", f"{path}/objects/thing", json={"name": "thing", "description": "Changed"})
    ask(admin, "POST", f"{path}/objects", json={"name": "more", "properties": {}})
    ask(
        admin, "PUT", f"{path}/properties/words", json={"name": "words", "type": "string", "title": "Changed"}
    )
    ask(admin, "DELETE", f"{path}/properties/count")
    ask(admin, "PUT", f"{path}/tags/first", json={"name": "renamed"})
    ask(admin, "POST", f"{path}/tags/third")
    ask(admin, "DELETE", f"{path}/tags/second")
    ask(admin, "DELETE", f"{path}/resource_types/OS::Nova::Flavor")
    ask(admin, "POST", f"{path}/resource_types", json={"name": "OS::Cinder::Volume", "prefix": "v:"})


LISTS = (
    "/v2/images?limit=100",
    "/v2/images?limit=100&os_hidden=true",
    "/v2/images?limit=100&visibility=community",
    "/v2/images?limit=100&visibility=shared&member_status=all",
    "/v2/images?limit=100&tag=two%20%E2%99%AB&sort=name:asc",
    "/v2/images?limit=100&os_distro=debian",
    f"{NAMESPACES}?limit=100",
    f"{NAMESPACES}?limit=100&resource_types=OS::Nova::Flavor",
    "/v2/metadefs/resource_types",
)


def survey(
    server: Running, who: People, images: Iterable[str], namespaces: Iterable[str]
) -> dict[str, Answer]:
    """All that everybody sees: status and document, or a digest of the data, by the user and the path."""
    paths = [*LISTS]
    for identity in images:
        path = f"/v2/images/{identity}"
        paths += [path, f"{path}/members", f"{path}/members/{who.other_project}", f"{path}/file"]
    for name in namespaces:
        path = f"{NAMESPACES}/{name}"
        paths += [path, f"{path}?resource_type=OS::Glance::Image"]
        paths += [f"{path}/{kind}" for kind in ("objects", "properties", "tags", "resource_types")]
        paths += [f"{path}/objects/thing", f"{path}/properties/words", f"{path}/tags/first"]
    seen = {}
    for user in who.tokens:
        with who.calls(server, user) as client:
            seen.update({f"{user} {path}": _see(client, path) for path in paths})
    return seen


def _see(client: httpx.Client, path: str) -> Answer:
    answer = client.get(path)
    if answer.is_success and "json" in answer.headers.get("Content-Type", ""):
        return answer.status_code, _settled(answer.json())
    if answer.status_code == 200:
        return 200, hashlib.sha256(answer.content).hexdigest()
    return answer.status_code, None


def _settled(document: Any) -> Any:
    # The order within these is not promised.
    if isinstance(document, dict):
        free = {"tags", "resource_type_associations", "objects", "members", "resource_types"}
        return {
            name: sorted(map(_settled, value), key=repr)
            if name in free and isinstance(value, list)
            else _without_names(value)
            if name == "properties"
            else _settled(value)
            for name, value in document.items()
        }
    return [_settled(item) for item in document] if isinstance(document, list) else document


def _without_names(properties: Any) -> Any:
    # Upstream repeats the name inside of a property once the property was written on its own.
    if not isinstance(properties, dict):
        return properties
    return {
        key: {name: _settled(value) for name, value in schema.items() if name != "name"}
        for key, schema in properties.items()
    }


def differences(one: Any, other: Any) -> Iterator[str]:
    """Where two documents differ: the path and both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            for found in differences(one.get(name, "(absent)"), other.get(name, "(absent)")):
                yield f" > {name}{found}"
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            for found in differences(left, right):
                yield f" > {number}{found}"
    elif one != other:
        yield f": {one!r} is {other!r}"
