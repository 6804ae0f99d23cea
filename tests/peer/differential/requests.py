"""The requests that both services get, made from the tables of the API: valid ones and others.

They are sent in this order, so that both services are in the same state before each. Ids are chosen here;
none looks like one that a service makes (RFC 9562 version 4), since those are taken out before comparing.
"""

from collections.abc import Iterator
from itertools import count, product
from typing import Any

from tests.peer.differential.exchange import Exchange
from tests.peer.differential.metadefs import metadef_exchanges
from tests.peer.differential.people import PERSONAS, named

V21 = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
V20 = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
OCTETS = {"Content-Type": "application/octet-stream"}
DATA = bytes(range(256)) * 64
ABSENT = "00000000-0000-1000-8000-00000000dead"

LIST_QUERIES = """
limit=0 limit=1 limit=-1 limit=x limit=100000 marker=00000000-0000-1000-8000-000000000001
marker=00000000-0000-1000-8000-00000000dead marker=x sort_key=size&sort_dir=asc sort_key=color
sort_dir=up sort=name:up sort=name,size:asc sort=name&sort_key=size
sort_key=name&sort_key=id&sort_dir=asc sort_key=name&sort_dir=asc&sort_dir=asc name=own name=
name=in:own,private name=eq:own name=gt:own name=in:%22own%22,x status=queued
status=in:queued,active status=bad disk_format=raw container_format=in:bare,ovf
id=00000000-0000-1000-8000-000000000001 protected=true protected=True protected=1 os_hidden=true
os_hidden=TRUE os_hidden=x size_min=1 size_max=100 size_min=x size=5 min_ram=512 min_ram_min=1
min_disk_max=5 created_at=gt:2020-01-01T00:00:00Z created_at=lt:2020-01-01T00:00:00Z created_at=x
updated_at=gte:x created_at=in:2020-01-01 tag=a tag=a&tag=b tag=zzz os_distro=debian os_distro=x
color=red owner=somebody member_status=all member_status=pending member_status=x
changes-since=2020-01-01 checksum=0 os_hash_algo=sha512 deleted=true locations=x properties=x
is_public=true foo_min=5
"""

_numbers = count(1)


def image_id(number: int) -> str:
    """An id of ours."""
    return f"00000000-0000-1000-8000-{number:012d}"


OWN, PUBLIC, SHARED, PRIVATE, COMMUNITY, EMPTY, GUARDED, HIDDEN = (image_id(number) for number in range(1, 9))


def exchanges(projects: dict[str, str]) -> Iterator[Exchange]:
    """All requests; `projects` are the ids of the projects by name."""
    yield from _discovery()
    yield from _population()
    yield from _creation()
    yield from _showing()
    yield from _listing()
    yield from _patching()
    yield from _data()
    yield from _sharing(projects)
    yield from _tags_and_actions()
    yield from _information()
    yield from _tasks()
    yield from metadef_exchanges()
    yield from _methods()
    yield from _deletion()


def _discovery() -> Iterator[Exchange]:
    for path in (
        "/",
        "/versions",
        "/versions/",
        "/v1/images",
        "/v2.19/images",
        "/foo",
        "/v2",
        "/v2/",
        "/v2/foo",
    ):
        for persona in ("nobody", "demo"):
            yield Exchange(named("discovery", f"{persona} {path}"), persona, "GET", path)
    for path in ("/v2.0/images", "/v2.9/images", "/v2.17/images", "/v2/images/", "/healthcheck"):
        yield Exchange(named("discovery", path), "demo", "GET", path)
    for accept in (
        "application/json",
        "text/html",
        "*/*",
        "text/plain",
        "application/xml",
        "text/html,*/*;q=0.1",
    ):
        yield Exchange(
            named("error form", accept), "demo", "GET", f"/v2/images/{ABSENT}", headers={"Accept": accept}
        )


def _population() -> Iterator[Exchange]:
    base = {"disk_format": "raw", "container_format": "bare"}
    for name, persona, ident, extra in (
        ("own", "demo", OWN, {"name": "own", "os_distro": "debian", "tags": ["a", "b"]}),
        ("public", "admin", PUBLIC, {"name": "public", "visibility": "public", "min_ram": 512}),
        ("shared", "demo", SHARED, {"name": "shared", "visibility": "shared"}),
        ("private", "demo", PRIVATE, {"name": "private", "visibility": "private"}),
        ("community", "demo", COMMUNITY, {"name": "community", "visibility": "community"}),
        ("empty", "demo", EMPTY, {"name": None}),
        ("guarded", "demo", GUARDED, {"name": "guarded", "protected": True}),
        ("hidden", "demo", HIDDEN, {"name": "hidden", "os_hidden": True}),
    ):
        body = {"id": ident, **({} if name == "empty" else base), **extra}
        yield Exchange(named("population", name), persona, "POST", "/v2/images", body)


def _creation() -> Iterator[Exchange]:
    # Ids that grow with time, so that lists of images of the same second have one order.
    number = count(100)
    for persona in (*PERSONAS, "forged", "system"):
        body = {"name": f"by {persona}", "id": image_id(next(number))}
        yield Exchange(named("create", persona), persona, "POST", "/v2/images", body)
    bodies: dict[str, Any] = {
        "array": [],
        "string": b'"x"',
        "malformed": b"{",
        "nothing": b"",
        "null name": {"name": None},
        "long name": {"name": "x" * 256},
        "number name": {"name": 5},
        "bad disk format": {"disk_format": "zip"},
        "null disk format": {"disk_format": None},
        "bad container format": {"container_format": "zip"},
        "bad visibility": {"visibility": "secret"},
        "public": {"visibility": "public"},
        "community": {"visibility": "community"},
        "protected string": {"protected": "yes"},
        "hidden number": {"os_hidden": 1},
        "negative min_disk": {"min_disk": -1},
        "big min_ram": {"min_ram": 2**31},
        "float min_ram": {"min_ram": 1.5},
        "tags string": {"tags": "x"},
        "tags twice": {"tags": ["x", "x"]},
        "long tag": {"tags": ["x" * 256]},
        "bad id": {"id": "x"},
        "taken id": {"id": OWN},
        "number property": {"color": 5},
        "null property": {"color": None},
        "long property name": {"x" * 256: "y"},
        "emoji": {"name": "\U0001f600"},
        "other owner": {"owner": "somebody"},
        "hash": {"os_hash_algo": "md5", "os_hash_value": "0"},
        "locations": {"locations": []},
        "too many tags": {"tags": [str(number) for number in range(129)]},
        "too many properties": {f"p{number}": "x" for number in range(129)},
    }
    for key in ("direct_url", "self", "file", "schema", "stores"):
        bodies[f"read-only {key}"] = {key: "x"}
    for key, value in (("status", "active"), ("checksum", "0" * 32), ("size", 5), ("virtual_size", 5)):
        bodies[f"read-only {key}"] = {key: value}
    for key in ("created_at", "updated_at", "location", "deleted", "deleted_at", "os_glance_x"):
        bodies[f"reserved {key}"] = {key: "x"}
    for name, body in bodies.items():
        if isinstance(body, dict):
            body = {"id": image_id(next(number)), **body}
        yield Exchange(named("create", name), "demo", "POST", "/v2/images", body)


def _showing() -> Iterator[Exchange]:
    for persona, ident in product(
        (*PERSONAS, "forged", "system", "domain"), (OWN, PUBLIC, PRIVATE, COMMUNITY, ABSENT, "x")
    ):
        yield Exchange(named("show", f"{persona} {ident[-4:]}"), persona, "GET", f"/v2/images/{ident}")
    yield Exchange("show: with a body", "demo", "GET", f"/v2/images/{OWN}", {})


def _listing() -> Iterator[Exchange]:
    sort = "sort=id:asc"
    for persona in (*PERSONAS, "forged", "system", "domain"):
        for visibility in ("", "public", "private", "shared", "community", "all", "bad"):
            query = f"?{sort}&visibility={visibility}" if visibility else f"?{sort}"
            yield Exchange(named("list", f"{persona} {visibility}"), persona, "GET", f"/v2/images{query}")
    for query in LIST_QUERIES.split():
        separator = "" if "sort" in query else f"&{sort}"
        yield Exchange(named("list", query), "demo", "GET", f"/v2/images?{query}{separator}")


def _patching() -> Iterator[Exchange]:
    path = f"/v2/images/{OWN}"
    for persona in PERSONAS:
        change = [{"op": "replace", "path": "/min_disk", "value": 1}]
        yield Exchange(named("patch", persona), persona, "PATCH", path, change, V21)
    for media in (
        "application/json",
        "application/octet-stream",
        "application/openstack-images-v2.2-json-patch",
    ):
        yield Exchange(named("patch", media), "demo", "PATCH", path, [], {"Content-Type": media})
    newer: dict[str, Any] = {
        "nothing": [],
        "object": {},
        "malformed": b"[",
        "strings": ["x"],
        "no op": [{"path": "/x", "value": "y"}],
        "test": [{"op": "test", "path": "/name", "value": "own"}],
        "move": [{"op": "move", "path": "/name", "from": "/x"}],
        "no value": [{"op": "add", "path": "/x"}],
        "no path": [{"op": "add", "value": "x"}],
        "relative path": [{"op": "add", "path": "x", "value": "y"}],
        "trailing slash": [{"op": "add", "path": "/x/", "value": "y"}],
        "double slash": [{"op": "add", "path": "//x", "value": "y"}],
        "bad escape": [{"op": "add", "path": "/x~2", "value": "y"}],
        "escaped": [{"op": "add", "path": "/x~0~1y", "value": "z"}],
        "deep": [{"op": "add", "path": "/x/y", "value": "z"}],
        "unknown key": [{"op": "add", "path": "/unknown", "value": "z", "foo": "bar"}],
        "add new": [{"op": "add", "path": "/color", "value": "red"}],
        "add again": [{"op": "add", "path": "/color", "value": "blue"}],
        "replace": [{"op": "replace", "path": "/color", "value": "green"}],
        "replace absent": [{"op": "replace", "path": "/absent", "value": "x"}],
        "remove": [{"op": "remove", "path": "/color"}],
        "remove absent": [{"op": "remove", "path": "/color"}],
        "remove base": [{"op": "remove", "path": "/name"}],
        "number": [{"op": "add", "path": "/color", "value": 5}],
        "all or nothing": [
            {"op": "add", "path": "/first", "value": "x"},
            {"op": "remove", "path": "/absent"},
        ],
        "owner": [{"op": "replace", "path": "/owner", "value": "somebody"}],
        "public": [{"op": "replace", "path": "/visibility", "value": "public"}],
        "community": [{"op": "replace", "path": "/visibility", "value": "community"}],
        "bad visibility": [{"op": "replace", "path": "/visibility", "value": "bad"}],
        "back to shared": [{"op": "replace", "path": "/visibility", "value": "shared"}],
        "tags": [{"op": "replace", "path": "/tags", "value": ["c", "d"]}],
        "bad tags": [{"op": "replace", "path": "/tags", "value": "c"}],
        "disk_format": [{"op": "replace", "path": "/disk_format", "value": "qcow2"}],
        "disk_format back": [{"op": "replace", "path": "/disk_format", "value": "raw"}],
        "negative min_ram": [{"op": "replace", "path": "/min_ram", "value": -1}],
        "long name": [{"op": "replace", "path": "/name", "value": "x" * 256}],
        "locations": [{"op": "add", "path": "/locations/-", "value": {"url": "http://a/b", "metadata": {}}}],
        "no locations": [{"op": "replace", "path": "/locations", "value": []}],
        "remove location": [{"op": "remove", "path": "/locations/0"}],
    }
    for key in (
        "id",
        "status",
        "checksum",
        "os_hash_algo",
        "size",
        "created_at",
        "direct_url",
        "self",
        "file",
        "schema",
    ):
        newer[f"read-only {key}"] = [{"op": "replace", "path": f"/{key}", "value": "x"}]
    for key in ("location", "deleted", "deleted_at", "os_glance_x"):
        newer[f"reserved {key}"] = [{"op": "add", "path": f"/{key}", "value": "x"}]
    for name, body in newer.items():
        # What upstream takes and we do not must not show in all that comes after.
        target = f"/v2/images/{HIDDEN}" if name == "double slash" else path
        yield Exchange(named("patch 2.1", name), "demo", "PATCH", target, body, V21)
    older: dict[str, Any] = {
        "add": [{"add": "/mood", "value": "good"}],
        "add again": [{"add": "/mood", "value": "good"}],
        "replace": [{"replace": "/mood", "value": "bad"}],
        "remove": [{"remove": "/mood"}],
        "two": [{"add": "/mood", "replace": "/name", "value": "x"}],
        "none": [{"value": "x"}],
    }
    for name, body in older.items():
        yield Exchange(named("patch 2.0", name), "demo", "PATCH", path, body, V20)
    yield Exchange("patch: absent", "demo", "PATCH", f"/v2/images/{ABSENT}", [], V21)
    yield Exchange("patch: others private", "demo2", "PATCH", f"/v2/images/{PRIVATE}", [], V21)


def _data() -> Iterator[Exchange]:
    path = f"/v2/images/{OWN}/file"
    yield Exchange("download: without data", "demo", "GET", path)
    yield Exchange("upload: absent", "demo", "PUT", f"/v2/images/{ABSENT}/file", DATA, OCTETS)
    yield Exchange("upload: no formats", "demo", "PUT", f"/v2/images/{EMPTY}/file", DATA, OCTETS)
    for media in ("application/json", "text/plain"):
        yield Exchange(named("upload", media), "demo", "PUT", path, DATA, {"Content-Type": media})
    yield Exchange("upload: no type", "demo", "PUT", path, DATA)
    for size in ("x", "", "-1", "5", "999999"):
        headers = {**OCTETS, "X-OpenStack-Image-Size": size}
        yield Exchange(named("upload", f"size {size}"), "demo", "PUT", path, DATA, headers)
    for persona in ("nobody", "reader", "demo2"):
        yield Exchange(named("upload", persona), persona, "PUT", path, DATA, OCTETS)
    for ident in (OWN, PUBLIC, SHARED, PRIVATE, COMMUNITY):
        persona = "admin" if ident == PUBLIC else "demo"
        yield Exchange(named("upload", ident[-4:]), persona, "PUT", f"/v2/images/{ident}/file", DATA, OCTETS)
        yield Exchange(named("show after upload", ident[-4:]), persona, "GET", f"/v2/images/{ident}")
    yield Exchange("upload: again", "demo", "PUT", path, DATA, OCTETS)
    for persona, ident in product(PERSONAS, (OWN, PUBLIC, PRIVATE, COMMUNITY)):
        yield Exchange(
            named("download", f"{persona} {ident[-4:]}"), persona, "GET", f"/v2/images/{ident}/file"
        )
    for header in (
        "bytes=0-9",
        "bytes=5-",
        "bytes=-5",
        "bytes=-99999999",
        "bytes=0-99999999",
        "bytes=99999999-",
        "bytes=5-2",
        "bits=0-1",
        "garbage",
        "bytes=0-1,4-5",
        "bytes=-",
        "bytes=0-0",
    ):
        yield Exchange(named("download range", header), "demo", "GET", path, headers={"Range": header})
    for header in ("bytes 0-9/*", "bytes 0-9/16384", "bytes 5-99999/*", "bytes */*", "x"):
        yield Exchange(
            named("download content-range", header), "demo", "GET", path, headers={"Content-Range": header}
        )
    yield Exchange("download: prefer", "demo", "GET", f"{path}?prefer=x")
    yield Exchange("upload: store header", "demo", "PUT", path, DATA, {**OCTETS, "X-Image-Meta-Store": "x"})
    change = [{"op": "replace", "path": "/disk_format", "value": "qcow2"}]
    yield Exchange("patch: format of active", "demo", "PATCH", f"/v2/images/{OWN}", change, V21)


def _sharing(projects: dict[str, str]) -> Iterator[Exchange]:
    path = f"/v2/images/{SHARED}/members"
    other = projects["demo2"]
    for persona in PERSONAS:
        yield Exchange(named("members", f"{persona} before"), persona, "GET", path)
    for name, body in {
        "array": [],
        "empty": {},
        "blank": {"member": ""},
        "long": {"member": "x" * 256},
        "number": {"member": 5},
        "right": {"member": other},
        "again": {"member": other},
        "two": {"member": "zoe"},
    }.items():
        target = path.replace(SHARED, EMPTY) if name in ("long", "number") else path
        yield Exchange(named("member add", name), "demo", "POST", target, body)
    for persona in ("reader", "demo2", "nobody"):
        yield Exchange(named("member add", persona), persona, "POST", path, {"member": f"by-{persona}"})
    for ident in (PRIVATE, PUBLIC, ABSENT):
        yield Exchange(
            named("member add", ident[-4:]), "demo", "POST", f"/v2/images/{ident}/members", {"member": "x"}
        )
        yield Exchange(named("members", ident[-4:]), "demo", "GET", f"/v2/images/{ident}/members")
    for persona in PERSONAS:
        yield Exchange(named("members", persona), persona, "GET", path)
        yield Exchange(named("member show", persona), persona, "GET", f"{path}/{other}")
        yield Exchange(named("member show other", persona), persona, "GET", f"{path}/zoe")
        yield Exchange(named("show shared", persona), persona, "GET", f"/v2/images/{SHARED}")
    for status in ("bad", 5, None, "pending", "rejected", "accepted"):
        for persona in ("demo2", "demo"):
            yield Exchange(
                named("member status", f"{persona} {status}"),
                persona,
                "PUT",
                f"{path}/{other}",
                {"status": status},
            )
        query = "visibility=shared&member_status=all&sort=id:asc"
        yield Exchange(named("list shared", status), "demo2", "GET", f"/v2/images?{query}")
    yield Exchange("member status: empty", "demo2", "PUT", f"{path}/{other}", {})
    yield Exchange("member status: array", "demo2", "PUT", f"{path}/{other}", [])
    for persona in ("nobody", "reader", "demo2", "demo", "demo"):
        yield Exchange(
            named("member delete", f"{persona} {next(_numbers)}"), persona, "DELETE", f"{path}/{other}"
        )


def _tags_and_actions() -> Iterator[Exchange]:
    path = f"/v2/images/{OWN}"
    for tag in ("new", "new", "x" * 255, "x" * 256, "%C3%A9", "a%20b"):
        yield Exchange(
            named("tag put", f"{tag[:8]} {len(tag)} {next(_numbers)}"), "demo", "PUT", f"{path}/tags/{tag}"
        )
    for tag in ("new", "new", "absent"):
        yield Exchange(named("tag delete", f"{tag} {next(_numbers)}"), "demo", "DELETE", f"{path}/tags/{tag}")
    for persona in ("reader", "demo2", "nobody"):
        yield Exchange(named("tag put", persona), persona, "PUT", f"{path}/tags/x")
    for persona, action in product(("reader", "demo2", "nobody", "demo", "demo"), ("deactivate",)):
        yield Exchange(
            named(action, f"{persona} {next(_numbers)}"), persona, "POST", f"{path}/actions/{action}"
        )
    for persona in ("demo", "admin"):
        yield Exchange(named("download deactivated", persona), persona, "GET", f"{path}/file")
        yield Exchange(named("show deactivated", persona), persona, "GET", path)
    for persona in ("reader", "demo", "demo"):
        yield Exchange(
            named("reactivate", f"{persona} {next(_numbers)}"), persona, "POST", f"{path}/actions/reactivate"
        )
    yield Exchange("deactivate: queued", "demo", "POST", f"/v2/images/{EMPTY}/actions/deactivate")
    yield Exchange("reactivate: queued", "demo", "POST", f"/v2/images/{EMPTY}/actions/reactivate")
    yield Exchange("deactivate: body", "demo", "POST", f"{path}/actions/deactivate", {})


def _information() -> Iterator[Exchange]:
    names = ("image", "images", "member", "members", "task", "tasks", "foo")
    kinds = ("namespace", "resource_type", "property", "object", "tag")
    plural = {"property": "properties"}
    metadefs = [f"metadefs/{name}" for kind in kinds for name in (kind, plural.get(kind, f"{kind}s"))]
    for name in (*names, *metadefs, "metadefs/foo"):
        yield Exchange(named("schema", name), "demo", "GET", f"/v2/schemas/{name}")
    for path in ("info/import", "info/stores", "info/stores/detail", "info/usage", "cache"):
        for persona in ("admin", "demo", "nobody"):
            yield Exchange(named(path, persona), persona, "GET", f"/v2/{path}")
    for persona, (method, path) in product(
        ("admin", "demo"),
        (
            ("DELETE", "cache"),
            ("PUT", f"cache/{OWN}"),
            ("DELETE", f"cache/{OWN}"),
            ("GET", f"cache/nodes/{OWN}"),
            ("POST", "cache/clean"),
            ("POST", "cache/prune"),
            ("GET", "cached_images"),
            ("GET", "queued_images"),
            ("DELETE", f"stores/x/{OWN}"),
            ("GET", f"images/{OWN}/tasks"),
            ("GET", f"images/{ABSENT}/tasks"),
            ("GET", f"images/{OWN}/locations"),
        ),
    ):
        yield Exchange(named("closed", f"{persona} {method} {path}"), persona, method, f"/v2/{path}")
    for name, body in {
        "empty": {},
        "array": [],
        "no url": {"validation_data": {}},
        "number": {"url": 5},
        "loopback": {"url": "http://127.0.0.1/x"},
        "metadata service": {"url": "http://169.254.169.254/x"},
        "decimal": {"url": "http://2130706433/x"},
        "port": {"url": "http://example.com:22/x"},
        "file": {"url": "file:///etc/passwd"},
        "unknown": {"url": "gopher://example.com/x"},
        "half": {"url": "http://127.0.0.1/x", "validation_data": {"os_hash_algo": "md5"}},
        "short": {
            "url": "http://127.0.0.1/x",
            "validation_data": {"os_hash_algo": "md5", "os_hash_value": "0"},
        },
        "more": {"url": "http://127.0.0.1/x", "validation_data": {"a": "b"}},
    }.items():
        yield Exchange(named("add location", name), "demo", "POST", f"/v2/images/{EMPTY}/locations", body)
    for persona in PERSONAS:
        body = {"url": "http://127.0.0.1/x"}
        for image in (OWN, ABSENT):
            path = f"/v2/images/{image}/locations"
            yield Exchange(named("locate", f"{persona} {image}"), persona, "POST", path, body)


def _tasks() -> Iterator[Exchange]:
    for persona in PERSONAS:
        yield Exchange(named("tasks", persona), persona, "GET", "/v2/tasks")
        yield Exchange(named("task", persona), persona, "GET", f"/v2/tasks/{ABSENT}")
        yield Exchange(named("task delete", persona), persona, "DELETE", f"/v2/tasks/{ABSENT}")
    for query in (
        "limit=0",
        "limit=-1",
        "limit=x",
        "marker=x",
        f"marker={ABSENT}",
        "status=bad",
        "type=bad",
        "sort_key=x",
        "sort_dir=x",
    ):
        yield Exchange(named("tasks", query), "admin", "GET", f"/v2/tasks?{query}")
    for name, body in {
        "empty": {},
        "array": [],
        "no input": {"type": "import"},
        "bad type": {"type": "x", "input": {}},
        "empty input": {"type": "import", "input": {}},
        "file": {
            "type": "import",
            "input": {
                "import_from": "file:///etc/passwd",
                "import_from_format": "raw",
                "image_properties": {},
            },
        },
    }.items():
        yield Exchange(named("task create", name), "admin", "POST", "/v2/tasks", body)
    yield Exchange("task create: demo", "demo", "POST", "/v2/tasks", {"type": "import", "input": {}})


def _methods() -> Iterator[Exchange]:
    paths = (
        "images",
        f"images/{OWN}",
        f"images/{OWN}/file",
        f"images/{OWN}/members",
        f"images/{OWN}/members/x",
        f"images/{OWN}/tags/x",
        f"images/{OWN}/actions/deactivate",
        f"images/{OWN}/import",
        f"images/{OWN}/stage",
        "tasks",
        "info/import",
        "info/stores",
        "schemas/image",
        "metadefs/namespaces",
        "metadefs/namespaces/x",
        "metadefs/resource_types",
        "metadefs/namespaces/x/tags",
    )
    for path, method in product(paths, ("HEAD", "TRACE", "PATCH", "PUT", "DELETE", "POST")):
        if (method, path) in _REAL or (method == "DELETE" and path == f"images/{OWN}"):
            continue
        yield Exchange(named("method", f"{method} {path}"), "demo", method, f"/v2/{path}")
    yield Exchange("method: FOO", "demo", "FOO", "/v2/images")
    yield Exchange("method: FOO nowhere", "demo", "FOO", "/v2/nowhere")


# What would change the state, or belongs to a feature with requests of its own.
_REAL = {
    ("PUT", f"images/{OWN}/tags/x"),
    ("POST", f"images/{OWN}/actions/deactivate"),
    ("POST", f"images/{OWN}/import"),
    ("PUT", f"images/{OWN}/stage"),
    ("POST", "metadefs/namespaces/x/tags"),
}


def _deletion() -> Iterator[Exchange]:
    for persona in ("nobody", "reader", "demo2"):
        yield Exchange(named("delete", persona), persona, "DELETE", f"/v2/images/{OWN}")
    yield Exchange("delete: protected", "demo", "DELETE", f"/v2/images/{GUARDED}")
    yield Exchange("delete: protected, admin", "admin", "DELETE", f"/v2/images/{GUARDED}")
    yield Exchange("delete: body", "demo", "DELETE", f"/v2/images/{OWN}", {})
    for ident in (OWN, OWN, EMPTY, ABSENT, "x"):
        yield Exchange(
            named("delete", f"{ident[-4:]} {next(_numbers)}"), "demo", "DELETE", f"/v2/images/{ident}"
        )
    yield Exchange("create: empty", "demo", "POST", "/v2/images", {})
    yield Exchange("create: deleted id", "demo", "POST", "/v2/images", {"id": OWN})
    yield Exchange("show: deleted, admin", "admin", "GET", f"/v2/images/{OWN}")
