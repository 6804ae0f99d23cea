"""What is the same for every request: ids, methods, bodies, and how errors look."""

import re
from collections.abc import Mapping

import pytest

from glimpse.access.identity import NoIdentity
from glimpse.domain.caller import Caller
from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, DATA_TYPE, NEWER, Client, pieces

ID = "11111111-2222-4333-8444-555555555555"
IMAGE = f"/v2/images/{ID}"

ALLOWED = {
    "/v2/images": "GET, POST",
    IMAGE: "DELETE, GET, PATCH",
    f"{IMAGE}/file": "GET, PUT",
    f"{IMAGE}/locations": "GET, POST",
    f"{IMAGE}/actions/deactivate": "POST",
    f"{IMAGE}/actions/reactivate": "POST",
    f"{IMAGE}/tags/x": "DELETE, PUT",
    f"{IMAGE}/members": "GET, POST",
    f"{IMAGE}/members/x": "DELETE, GET, PUT",
    "/v2/schemas/image": "GET",
    f"{IMAGE}/tasks": "GET",
    f"{IMAGE}/import": "POST",
    f"{IMAGE}/stage": "PUT",
    "/v2/tasks": "GET, POST",
    "/v2/jobs": "GET",
    "/v2/jobs/{job_id}": "DELETE, GET",
    "/v2/info/import": "GET",
    "/v2/info/stores": "GET",
    "/v2/info/stores/detail": "GET",
    "/v2/info/usage": "GET",
    "/v2/cache": "DELETE, GET",
    "/v2/cache/clean": "POST",
    "/v2/cache/prune": "POST",
    f"/v2/cache/{ID}": "DELETE, PUT",
    f"/v2/cache/nodes/{ID}": "GET",
    "/v2/cached_images": "DELETE, GET",
    f"/v2/cached_images/{ID}": "DELETE",
    "/v2/queued_images": "DELETE, GET",
    f"/v2/queued_images/{ID}": "DELETE, PUT",
    f"/v2/stores/x/{ID}": "DELETE",
}

WITHOUT_BODY = [
    ("GET", IMAGE),
    ("DELETE", IMAGE),
    ("GET", f"{IMAGE}/file"),
    ("POST", f"{IMAGE}/actions/deactivate"),
    ("POST", f"{IMAGE}/actions/reactivate"),
    ("PUT", f"{IMAGE}/tags/x"),
    ("DELETE", f"{IMAGE}/tags/x"),
    ("GET", f"{IMAGE}/members"),
    ("GET", f"{IMAGE}/members/x"),
    ("DELETE", f"{IMAGE}/members/x"),
    ("GET", "/v2/schemas/image"),
]

WITH_JSON = [
    ("POST", "/v2/images", "application/json"),
    ("PATCH", IMAGE, NEWER),
    ("POST", f"{IMAGE}/members", "application/json"),
    ("PUT", f"{IMAGE}/members/x", "application/json"),
]


class TestRequestIds:
    def test_every_answer_has_one(self, alice: Client) -> None:
        answers = [alice.get(path) for path in ("/v2/images", "/v2/images/x", "/v2/nowhere", "/healthcheck")]
        ids = [answer.headers["x-openstack-request-id"] for answer in answers]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name) for name in ids)

    @pytest.mark.parametrize(
        ("given", "answered"), [("req-abc", "req-abc"), ("abc", "req-abc"), ("x" * 64, f"req-{'x' * 64}")]
    )
    def test_the_callers_own_is_honoured(self, alice: Client, given: str, answered: str) -> None:
        response = alice.get("/v2/images", X_OpenStack_Request_ID=given)
        assert response.status_code == 200
        assert response.headers["x-openstack-request-id"] == answered

    def test_one_that_is_too_long_is_refused(self, alice: Client) -> None:
        response = alice.get("/v2/images", X_OpenStack_Request_ID="x" * 65)
        assert response.status_code == 431
        assert "64" in response.text

    @pytest.mark.parametrize("given", [b"a b", b"a\tb", "é".encode(), b"\xff", b"a\r\nSet-Cookie: x"])
    def test_one_that_cannot_stand_in_a_header_is_replaced(self, alice: Client, given: bytes) -> None:
        response = alice.ask("GET", "/v2/images", headers={b"X-OpenStack-Request-ID": given})
        assert response.status_code == 200
        assert re.fullmatch(r"req-[0-9a-f-]{36}", response.headers["x-openstack-request-id"])


class TestMethods:
    @pytest.mark.parametrize("path", ALLOWED)
    def test_others_are_refused_and_the_right_ones_named(self, alice: Client, path: str) -> None:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "FOO"):
            response = alice.ask(method, path)
            if method in ALLOWED[path].split(", "):
                assert response.status_code != 405
            else:
                assert response.status_code == 405
                assert response.headers["allow"] == ALLOWED[path]

    @pytest.mark.parametrize(("method", "status"), [("GET", 404), ("DELETE", 404), ("FOO", 501)])
    @pytest.mark.parametrize(
        "path", ["/v2/nowhere", "/v2/images/", f"{IMAGE}/", f"{IMAGE}/file/", f"{IMAGE}/tags/a/b", "/v2/"]
    )
    def test_unknown_paths(self, alice: Client, path: str, method: str, status: int) -> None:
        assert alice.ask(method, path).status_code == status

    def test_double_slash_is_no_slash(self, alice: Client) -> None:
        assert alice.ask("GET", "http://glimpse.test/v2//images").status_code == 404


class TestBodies:
    @pytest.mark.parametrize(("method", "path"), WITHOUT_BODY)
    def test_unexpected_body_is_refused(self, alice: Client, method: str, path: str) -> None:
        response = alice.ask(method, path, content=b"{}")
        assert response.status_code == 400
        assert "body" in response.text

    @pytest.mark.parametrize(("method", "path"), WITHOUT_BODY)
    def test_unexpected_chunked_body_is_refused(self, alice: Client, method: str, path: str) -> None:
        assert alice.ask(method, path, content=pieces(b"{}")).status_code == 400

    @pytest.mark.parametrize(("method", "path"), WITHOUT_BODY)
    def test_announced_emptiness_is_no_body(self, alice: Client, method: str, path: str) -> None:
        assert alice.ask(method, path, headers={"Content-Length": "0"}).status_code != 400

    def test_list_ignores_a_body(self, alice: Client) -> None:
        assert alice.ask("GET", "/v2/images", content=b"anything").status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"{'a': 1}",
            b'{"a": NaN}',
            b'"text"',
            b"5",
            b"null",
            b"true",
            b"\xff\xfe{}",
            b'{"name": "\\ud800"}',
            b'{"name": "\xed\xa0\x80"}',
            b'{"a": "\x00"}',
            b"[" * 5000 + b"]" * 5000,
            b"{} {}",
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_what_is_no_json_document_is_refused(self, alice: Client, body: bytes) -> None:
        for method, path, media in WITH_JSON:
            response = alice.ask(method, path, content=body, headers={"Content-Type": media})
            assert response.status_code == 400
            assert "body" in response.text
        assert alice.names() == []

    @pytest.mark.parametrize(("method", "path", "media"), WITH_JSON)
    def test_document_of_the_wrong_kind_is_refused(
        self, alice: Client, method: str, path: str, media: str
    ) -> None:
        body = b"{}" if media == NEWER else b"[]"
        response = alice.ask(method, path, content=body, headers={"Content-Type": media})
        assert response.status_code == 400
        assert "expected" in response.text

    @pytest.mark.parametrize(("method", "path", "media"), WITH_JSON)
    def test_document_that_is_too_long_is_refused(
        self, alice: Client, method: str, path: str, media: str
    ) -> None:
        body = b'{"a": "' + b"x" * 8 * 1024 * 1024 + b'"}'
        response = alice.ask(method, path, content=body, headers={"Content-Type": media})
        assert response.status_code == 413
        assert str(8 * 1024 * 1024) in response.text

    @pytest.mark.parametrize("media", ["application/json", "text/plain", "image/png", "nonsense"])
    def test_media_type_of_a_document_does_not_matter(self, alice: Client, media: str) -> None:
        response = alice.ask("POST", "/v2/images", content=b"{}", headers={"Content-Type": media})
        assert response.status_code == 201

    def test_document_may_come_in_chunks(self, alice: Client) -> None:
        response = alice.ask("POST", "/v2/images", content=pieces(b'{"name": ', b'"x"}'))
        assert response.status_code == 201
        assert response.json()["name"] == "x"

    def test_answers_are_not_escaped_to_ascii(self, alice: Client) -> None:
        assert "Ünïcode – 漢字" in alice.post("/v2/images", {"name": "Ünïcode – 漢字"}).text


TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"


class TestErrors:
    @pytest.mark.parametrize(
        ("accept", "media"),
        [
            (None, TEXT),
            ("text/plain", TEXT),
            ("application/xml", TEXT),
            ("image/png", TEXT),
            ("nonsense", TEXT),
            ("", TEXT),
            ("*/*", HTML),
            ("text/html", HTML),
            ("application/json, text/html", HTML),
            ("application/json, */*", HTML),
            ("application/json", JSON),
            ("application/json; charset=utf-8", JSON),
            ("application/json, text/html;q=0.5", JSON),
            ("text/plain;q=0.2, application/json", JSON),
            ("text/plain, application/json;q=0.9", TEXT),
            ("application/json;q=0", TEXT),
            ("application/json;q=nonsense", TEXT),
        ],
    )
    def test_body_is_of_the_media_type_that_is_preferred(
        self, alice: Client, accept: str | None, media: str
    ) -> None:
        headers = {} if accept is None else {"Accept": accept}
        response = alice.ask("GET", "/v2/images/nothing", headers=headers)
        assert response.status_code == 404
        assert response.headers["content-type"].lower() == media

    def test_text(self, alice: Client) -> None:
        lines = alice.get("/v2/images/nothing").text.splitlines()
        assert lines[:3] == ["404 Not Found", "", "No image found with ID nothing"]

    def test_json(self, alice: Client) -> None:
        body = alice.get("/v2/images/nothing", accept="application/json").json()
        assert body["code"] == "404 Not Found"
        assert body["title"] == "Not Found"
        assert body["message"].startswith("No image found with ID nothing")

    def test_html_is_escaped(self, alice: Client) -> None:
        text = alice.get("/v2/images/<script>&", accept="text/html").text
        assert "<title>404 Not Found</title>" in text
        assert "<h1>404 Not Found</h1>" in text
        assert "&lt;script&gt;&amp;" in text
        assert "<script>" not in text

    def test_foreseen_by_nobody_tells_nothing(self, make_world: MakeWorld) -> None:
        class Broken(NoIdentity):
            async def caller(self, method: str, path: str, headers: Mapping[str, str]) -> Caller:
                raise RuntimeError("the password is hunter2")

        client = make_world(identity=Broken()).client(ALICE)
        response = client.get("/v2/images", accept="application/json", X_OpenStack_Request_ID="req-1")
        assert response.status_code == 500
        assert response.json()["code"] == "500 Internal Server Error"
        assert "hunter2" not in response.text
        assert response.headers["x-openstack-request-id"] == "req-1"


class TestAuthentication:
    @pytest.mark.parametrize(("method", "path"), [*WITHOUT_BODY, *[(m, p) for m, p, _ in WITH_JSON]])
    def test_is_asked_for_everywhere(self, nobody: Client, method: str, path: str) -> None:
        response = nobody.ask(method, path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Persona realm="tests"'

    def test_is_asked_for_before_data_is_read(self, nobody: Client) -> None:
        response = nobody.ask("PUT", f"{IMAGE}/file", content=b"data", headers={"Content-Type": DATA_TYPE})
        assert response.status_code == 401


class TestPagesForPeople:
    def test_healthcheck(self, nobody: Client) -> None:
        response = nobody.get("/healthcheck")
        assert (response.status_code, response.text) == (200, "OK")
        assert response.headers["content-type"].startswith("text/plain")
        assert nobody.ask("HEAD", "/healthcheck").status_code == 204

    def test_healthcheck_as_json(self, nobody: Client) -> None:
        response = nobody.get("/healthcheck", accept="application/json")
        assert response.json() == {"detailed": False, "reasons": ["OK"]}

    def test_description_and_the_page_that_shows_it(self, nobody: Client) -> None:
        description = nobody.get("/openapi.json")
        assert description.headers["content-type"] == "application/json"
        assert description.json()["openapi"].startswith("3.1")
        page = nobody.get("/docs")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        # It must work in a data centre without a way out.
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text)

    @pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
    def test_they_cannot_be_written(self, nobody: Client, path: str) -> None:
        assert nobody.post(path, {}).status_code == 405

    def test_description_names_every_path_and_method(self, nobody: Client) -> None:
        paths = nobody.get("/openapi.json").json()["paths"]
        known = {path: ", ".join(sorted(method.upper() for method in paths[path])) for path in paths}
        described = {
            path.replace(ID, "{image_id}")
            .replace("/tags/x", "/tags/{tag}")
            .replace("/members/x", "/members/{member_id}")
            .replace("/schemas/image", "/schemas/{name}")
            .replace("/stores/x", "/stores/{store_id}"): allowed
            for path, allowed in ALLOWED.items()
        }
        # Those on metadata definitions have tests of their own; so has the task that cannot be deleted.
        known = {
            path: allowed
            for path, allowed in known.items()
            if "metadefs" not in path and path != "/v2/tasks/{task_id}"
        }
        assert known == described
