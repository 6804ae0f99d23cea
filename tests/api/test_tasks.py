"""Tasks, as far as there is no engine that does them, and the tasks of an image."""

import pytest

from tests.api.world import Client

IMPORT = {
    "import_from": "http://example.com/disk",
    "import_from_format": "raw",
    "image_properties": {"name": "x"},
}
ABSENT = "11111111-2222-4333-8444-555555555555"


def test_a_task_that_nobody_can_do_says_so_at_once(admin: Client) -> None:
    answer = admin.post("/v2/tasks", {"type": "import", "input": IMPORT, "status": "x", "owner": "y"})
    assert answer.status_code == 201
    task = answer.json()
    assert answer.headers["location"].endswith(f"/v2/tasks/{task['id']}")
    assert (task["status"], task["input"], task["result"], task["owner"]) == (
        "failure",
        IMPORT,
        None,
        "admin",
    )
    assert "not enabled" in task["message"]
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
    assert len(admin.get("/v2/tasks?status=failure&type=import&owner=admin").json()["tasks"]) == 3
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
