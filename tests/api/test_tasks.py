"""Tasks: imports into new images, as administrators begin them, and the tasks of an image."""

import gzip
import hashlib
from typing import Any

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, Client, Json
from tests.sources import DATA, Source

IMPORT = {
    "import_from": "http://example.com/disk",
    "import_from_format": "raw",
    "image_properties": {"name": "x"},
}
ABSENT = "11111111-2222-4333-8444-555555555555"
RULES = "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"


@pytest.fixture
def root(make_world: MakeWorld) -> Client:
    """An administrator, where the source may be asked."""
    return make_world(RULES).client(ADMIN)


def begin(client: Client, url: str, format_: str = "raw", **properties: Any) -> Json:
    wanted = {"import_from": url, "import_from_format": format_, "image_properties": properties}
    answer = client.post("/v2/tasks", {"type": "import", "input": wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def ended(client: Client, task: Json) -> Json:
    """The task after all attempts at it."""
    for _ in range(6):
        client.world.do_jobs()
        client.world.later += 60
    return dict(client.get(task["self"]).json())


class TestImport:
    def test_an_image_is_made(self, root: Client, source: Source) -> None:
        task = begin(root, source.url(), name="disk", os_distro="debian", tags=["a"])
        image = root.show(task["image_id"])
        assert (image["status"], image["os_glance_import_task"]) == ("importing", task["id"])
        task = ended(root, task)
        assert (task["status"], task["result"]) == ("success", {"image_id": image["id"]})
        assert task["expires_at"] is not None
        image = root.show(image["id"])
        assert (image["status"], image["size"], image["os_hash_value"]) == (
            "active",
            len(DATA),
            hashlib.sha512(DATA).hexdigest(),
        )
        assert (image["name"], image["os_distro"], image["tags"]) == ("disk", "debian", ["a"])
        assert (image["disk_format"], image["container_format"]) == ("raw", "bare")
        assert root.data(image["id"]).content == DATA

    @pytest.mark.parametrize(
        ("path", "format_"),
        [("/absent", "raw"), ("/error", "raw"), ("/shortened", "raw"), ("/image", "qcow2")],
    )
    def test_what_fails_leaves_no_image(self, root: Client, source: Source, path: str, format_: str) -> None:
        task = begin(root, source.url(path), format_, protected=True)
        image_id = task["image_id"]
        task = ended(root, task)
        assert (task["status"], task["result"], bool(task["message"])) == ("failure", None, True)
        assert root.get(f"/v2/images/{image_id}").status_code == 404
        assert (root.world.files(), root.names()) == ([], [])

    def test_an_image_that_is_deleted_meanwhile(self, root: Client, source: Source) -> None:
        task = begin(root, source.url())
        assert root.delete(f"/v2/images/{task['image_id']}").status_code == 204
        assert ended(root, task)["status"] == "failure"
        assert root.world.files() == []

    @pytest.mark.parametrize(
        ("changed", "status", "field"),
        [
            ({"import_from": "http://127.0.0.2/"}, 400, "import_from"),
            ({"import_from": "http://user:secret@127.0.0.1/"}, 400, "import_from"),
            ({"import_from_format": "floppy"}, 400, "disk_format"),
            ({"import_from_format": ["raw"]}, 400, "disk_format"),
            ({"image_properties": []}, 400, "image_properties"),
            ({"image_properties": {"disk_format": "qcow2"}}, 400, "import_from_format"),
            ({"image_properties": {"container_format": None}}, 400, "container_format"),
            ({"image_properties": {"container_format": "box"}}, 400, "container_format"),
            ({"image_properties": {"min_disk": "many"}}, 400, "min_disk"),
            ({"image_properties": {"colour": 5}}, 400, "colour"),
            ({"image_properties": {"os_glance_import_task": "x"}}, 403, "os_glance_import_task"),
            ({"image_properties": {"size": 5}}, 403, "size"),
        ],
    )
    def test_what_makes_no_sense(self, root: Client, changed: Json, status: int, field: str) -> None:
        wanted = {**IMPORT, "import_from": "http://127.0.0.1/disk", **changed}
        answer = root.post("/v2/tasks", {"type": "import", "input": wanted})
        assert (answer.status_code, field in answer.text) == (status, True), answer.text
        assert "secret" not in answer.text
        assert (root.names(), root.get("/v2/tasks").json()["tasks"]) == ([], [])

    def test_steps_apply(self, make_world: MakeWorld, source: Source) -> None:
        source.pages["/compressed-disk"] = lambda handler: handler.reply(200, gzip.compress(DATA))
        steps = "[image_import_opts]\nimage_import_plugins = [image_decompression]\n"
        root = make_world(RULES + steps).client(ADMIN)
        task = begin(root, source.url("/compressed-disk"))
        assert ended(root, task)["status"] == "success"
        assert root.show(task["image_id"])["size"] == len(DATA)

    def test_more_than_is_allowed(self, make_world: MakeWorld, source: Source) -> None:
        root = make_world(f"[DEFAULT]\nimage_size_cap = 1000\n{RULES}").client(ADMIN)
        task = ended(root, begin(root, source.url()))
        assert (task["status"], "image_size_cap" in task["message"]) == ("failure", True)
        assert (root.world.files(), root.names()) == ([], [])

    def test_more_properties_than_an_image_may_have(self, make_world: MakeWorld) -> None:
        root = make_world(f"[DEFAULT]\nimage_property_quota = 1\n{RULES}").client(ADMIN)
        properties = {"a": "1", "b": "2"}
        wanted = {**IMPORT, "import_from": "http://127.0.0.1/", "image_properties": properties}
        assert root.post("/v2/tasks", {"type": "import", "input": wanted}).status_code == 413
        assert root.names() == []

    def test_an_image_for_somebody_else(self, root: Client, source: Source) -> None:
        task = begin(root, source.url(), owner="a", visibility="private")
        assert ended(root, task)["status"] == "success"
        assert root.show(task["image_id"])["owner"] == "a"

    def test_an_id_that_is_taken(self, root: Client) -> None:
        image = root.create()
        wanted = {**IMPORT, "import_from": "http://127.0.0.1/", "image_properties": {"id": image["id"]}}
        assert root.post("/v2/tasks", {"type": "import", "input": wanted}).status_code == 409
        assert root.get("/v2/tasks").json()["tasks"] == []


@pytest.mark.parametrize("type_", ["api_image_import", "location_import"])
def test_a_task_that_only_the_service_begins(admin: Client, type_: str) -> None:
    task = admin.post("/v2/tasks", {"type": type_, "input": {}}).json()
    assert (task["status"], task["input"], task["image_id"]) == ("failure", {}, None)
    assert "service itself" in task["message"]


def test_a_task_shows_what_was_asked_for(admin: Client) -> None:
    answer = admin.post("/v2/tasks", {"type": "import", "input": IMPORT, "status": "x", "owner": "y"})
    assert answer.status_code == 201
    task = answer.json()
    assert answer.headers["location"].endswith(f"/v2/tasks/{task['id']}")
    assert (task["status"], task["input"], task["result"], task["owner"]) == (
        "pending",
        IMPORT,
        None,
        "admin",
    )
    assert task["request_id"].startswith("req-")
    assert task["self"] == f"/v2/tasks/{task['id']}"
    assert admin.get(task["self"]).json() == task


def test_lists_leave_the_details_out(admin: Client) -> None:
    made = [admin.post("/v2/tasks", {"type": "import", "input": IMPORT}).json() for _ in range(3)]
    page = admin.get("/v2/tasks?limit=2&sort_key=id&sort_dir=asc").json()
    ids = sorted(task["id"] for task in made)
    assert [task["id"] for task in page["tasks"]] == ids[:2]
    assert page["tasks"][0].keys() == made[0].keys() - {"input", "result", "message"}
    assert page["schema"] == "/v2/schemas/tasks"
    rest = admin.get(page["next"]).json()
    assert [task["id"] for task in rest["tasks"]] == ids[2:]
    assert "next" not in rest
    assert admin.get("/v2/tasks?limit=0").json()["tasks"] == []
    assert len(admin.get("/v2/tasks?status=pending&type=import&owner=admin").json()["tasks"]) == 3
    assert admin.get("/v2/tasks?status=success").json()["tasks"] == []


@pytest.mark.parametrize("path", ["/v2/tasks", f"/v2/tasks/{ABSENT}"])
def test_only_administrators_may_use_them(path: str, alice: Client, reader: Client) -> None:
    for client in (alice, reader):
        assert client.get(path).status_code == 403
        assert client.delete(f"/v2/tasks/{ABSENT}").status_code == 403
    assert alice.post("/v2/tasks", {"type": "import", "input": IMPORT}).status_code == 403


def test_tasks_are_not_deleted(admin: Client) -> None:
    answer = admin.delete(f"/v2/tasks/{ABSENT}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert admin.get(f"/v2/tasks/{ABSENT}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "marker=x",
        f"marker={ABSENT}",
        "status=bad",
        "type=bad",
        "sort_key=x",
        "sort_dir=x",
    ],
)
def test_queries_that_make_no_sense(admin: Client, query: str) -> None:
    answer = admin.get(f"/v2/tasks?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "type"),
        ({"type": "x", "input": {}}, "type"),
        ({"type": ["import"], "input": {}}, "type"),
        ({"type": "import"}, "input"),
        ({"type": "import", "input": []}, "input"),
        ({"type": "import", "input": {}}, "import_from"),
        ({"type": "import", "input": {**IMPORT, "import_from": "file:///etc/passwd"}}, "import_from"),
        ({"type": "import", "input": {**IMPORT, "import_from": 5}}, "import_from"),
        ({"type": "import", "input": IMPORT, "more": 1}, "more"),
    ],
)
def test_tasks_that_make_no_sense(admin: Client, body: object, field: str) -> None:
    answer = admin.post("/v2/tasks", body)
    assert answer.status_code == 400
    assert field in answer.text
    assert admin.get("/v2/tasks").json()["tasks"] == []


def test_tasks_of_an_image(alice: Client, bob: Client) -> None:
    path = f"/v2/images/{alice.create(visibility='private')['id']}/tasks"
    assert alice.get(path).json() == {"tasks": []}
    assert bob.get(path).status_code == 404
