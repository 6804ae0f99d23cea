"""Requests about metadata definitions."""

from collections.abc import Iterator
from itertools import count, product
from typing import Any

from tests.peer.differential.exchange import Exchange
from tests.peer.differential.people import PERSONAS, named

_numbers = count(1)


def metadef_exchanges() -> Iterator[Exchange]:
    """Namespaces and their parts."""
    base = "/v2/metadefs/namespaces"
    for persona in PERSONAS:
        yield Exchange(named("namespaces", persona), persona, "GET", base)
        yield Exchange(named("resource types", persona), persona, "GET", "/v2/metadefs/resource_types")
        yield Exchange(
            named("namespace create", persona), persona, "POST", base, {"namespace": f"by {persona}"}
        )
    full = {
        "namespace": "N1",
        "display_name": "One",
        "description": "first",
        "visibility": "public",
        "protected": False,
        "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_"}],
        "properties": {"cores": {"title": "Cores", "type": "integer", "default": 4, "minimum": 1}},
        "objects": [{"name": "O1", "required": [], "properties": {"p": {"title": "P", "type": "string"}}}],
        "tags": [{"name": "T1"}],
    }
    for name, body in {
        "full": full,
        "again": full,
        "empty": {},
        "array": [],
        "long": {"namespace": "x" * 81},
        "unknown": {"namespace": "x", "foo": 1},
        "read-only": {"namespace": "x", "self": "y"},
        "bad visibility": {"namespace": "x", "visibility": "shared"},
        "private": {"namespace": "N2"},
        "protected": {"namespace": "N3", "protected": True, "visibility": "public"},
        "bad type": {"namespace": "x", "properties": {"p": {"title": "P", "type": "foo"}}},
    }.items():
        yield Exchange(named("namespace create", name), "admin", "POST", base, body)
    for persona, name in product(PERSONAS, ("N1", "N2", "absent")):
        for part in ("", "/objects", "/properties", "/tags", "/resource_types"):
            yield Exchange(
                named("namespace", f"{persona} {name}{part}"), persona, "GET", f"{base}/{name}{part}"
            )
    for query in (
        "limit=1",
        "limit=0",
        "limit=-1",
        "limit=x",
        "marker=N1",
        "marker=zz",
        "sort_dir=x",
        "visibility=public",
        "visibility=x",
        "resource_types=OS::Glance::Image",
        "sort_key=namespace&sort_dir=asc",
        "sort_key=foo",
    ):
        yield Exchange(named("namespaces", query), "admin", "GET", f"{base}?{query}")
    yield Exchange("namespace: prefixed", "demo", "GET", f"{base}/N1?resource_type=OS::Glance::Image")
    yield Exchange(
        "property: prefixed", "demo", "GET", f"{base}/N1/properties/hw_cores?resource_type=OS::Glance::Image"
    )
    yield from _metadef_parts(f"{base}/N1")
    yield Exchange("namespace put: rename clash", "admin", "PUT", f"{base}/N2", {"namespace": "N1"})
    yield Exchange(
        "namespace put", "admin", "PUT", f"{base}/N2", {"namespace": "N2b", "visibility": "public"}
    )
    yield Exchange("namespace put: demo", "demo", "PUT", f"{base}/N2b", {"namespace": "N2c"})
    for name in ("N3", "absent", "N2b", "N1"):
        for persona in ("demo", "admin"):
            yield Exchange(
                named("namespace delete", f"{persona} {name}"), persona, "DELETE", f"{base}/{name}"
            )


def _metadef_parts(namespace: str) -> Iterator[Exchange]:
    parts: dict[str, tuple[str, dict[str, Any]]] = {
        "objects": ("O2", {"name": "O2", "properties": {}}),
        "properties": ("p2", {"name": "p2", "title": "P2", "type": "string"}),
        "resource_types": ("OS::Nova::Flavor", {"name": "OS::Nova::Flavor", "prefix": "hw:"}),
    }
    for part, (name, body) in parts.items():
        path = f"{namespace}/{part}"
        for persona in ("demo", "admin", "admin"):
            yield Exchange(named(part, f"create {persona} {next(_numbers)}"), persona, "POST", path, body)
        for detail, bad in {
            "empty": {},
            "array": [],
            "unknown": {**body, "foo": 1},
            "long": {**body, "name": "x" * 81},
        }.items():
            yield Exchange(named(part, f"create {detail}"), "admin", "POST", path, bad)
        yield Exchange(named(part, "show"), "demo", "GET", f"{path}/{name}")
        if part != "resource_types":
            yield Exchange(
                named(part, "put"), "admin", "PUT", f"{path}/{name}", {**body, "description": "changed"}
            )
            yield Exchange(named(part, "put absent"), "admin", "PUT", f"{path}/absent", body)
        for persona in ("demo", "admin", "admin"):
            yield Exchange(
                named(part, f"delete {persona} {next(_numbers)}"), persona, "DELETE", f"{path}/{name}"
            )
    tags = f"{namespace}/tags"
    yield Exchange("tags: put one", "admin", "POST", f"{tags}/T2")
    yield Exchange("tags: put one again", "admin", "POST", f"{tags}/T2")
    yield Exchange("tags: show", "demo", "GET", f"{tags}/T2")
    yield Exchange("tags: rename", "admin", "PUT", f"{tags}/T2", {"name": "T3"})
    bodies: dict[str, Any] = {
        "none": {"tags": []},
        "two": {"tags": [{"name": "A"}, {"name": "B"}]},
        "empty": {},
        "twice": {"tags": [{"name": "A"}, {"name": "A"}]},
    }
    for name, body in bodies.items():
        yield Exchange(named("tags", f"replace {name}"), "admin", "POST", tags, body)
    yield Exchange(
        "tags: append", "admin", "POST", tags, {"tags": [{"name": "C"}]}, {"X-Openstack-Append": "true"}
    )
    for query in ("", "limit=1", "limit=0", "limit=x", "marker=zz", "sort_key=name&sort_dir=asc"):
        yield Exchange(named("tags", query), "demo", "GET", f"{tags}?{query}")
    for part in ("tags", "objects", "properties"):
        yield Exchange(named(part, "delete all"), "admin", "DELETE", f"{namespace}/{part}")
