"""Metadata definitions: namespaces, and types of resource."""

import pytest

from tests.api import definitions
from tests.api.definitions import BASE, FULL, make, names
from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, Client

full = definitions.full


class TestCreate:
    def test_least(self, admin: Client) -> None:
        response = admin.post(BASE, {"namespace": "N"})
        document = response.json()
        assert response.status_code == 201
        assert response.headers["location"] == f"http://glimpse.test{BASE}/N"
        assert document == {
            "namespace": "N",
            "visibility": "private",
            "protected": False,
            "owner": "admin",
            "created_at": document["created_at"],
            "updated_at": document["created_at"],
            "self": f"{BASE}/N",
            "schema": "/v2/schemas/metadefs/namespace",
        }
        assert document["created_at"].endswith("Z")

    def test_all(self, admin: Client, full: str) -> None:
        document = admin.get(full).json()
        for name in ("namespace", "display_name", "description", "visibility", "protected", "owner", "tags"):
            assert document[name] == FULL[name]
        times = {name: document[name] for name in ("created_at", "updated_at")}
        assert document["resource_type_associations"] == [
            {**association, **times} for association in FULL["resource_type_associations"]
        ]
        assert document["properties"]["cores"] == {
            **FULL["properties"]["cores"],
            "default": "4",
        }
        assert document["properties"]["flag"]["default"] == "True"
        assert document["properties"]["list"]["default"] == "[1]"
        assert document["objects"] == [
            {
                **FULL["objects"][0],
                **times,
                "self": f"{full}/objects/Box 1",
                "schema": "/v2/schemas/metadefs/object",
            },
            {
                **FULL["objects"][1],
                "required": [],
                "properties": {},
                **times,
                "self": f"{full}/objects/Bare",
                "schema": "/v2/schemas/metadefs/object",
            },
        ]

    def test_answer_is_what_is_shown(self, admin: Client) -> None:
        assert admin.post(BASE, FULL).json() == admin.get(f"{BASE}/OS::Full").json()

    def test_twice(self, admin: Client, full: str) -> None:
        assert admin.post(BASE, FULL).status_code == 409

    @pytest.mark.parametrize("part", ["objects", "tags", "resource_type_associations"])
    def test_twins_leave_nothing(self, admin: Client, part: str) -> None:
        twins = {"namespace": "N", part: [{"name": "x"}, {"name": "x"}]}
        assert admin.post(BASE, twins).status_code == 409
        assert admin.get(f"{BASE}/N").status_code == 404

    @pytest.mark.parametrize("name", ["two words", "größe", "漢字", "a?b#c%", "x" * 80])
    def test_names(self, admin: Client, name: str) -> None:
        response = admin.post(BASE, {"namespace": name})
        assert response.status_code == 201
        path = response.headers["location"].removeprefix("http://glimpse.test")
        assert admin.get(path).json()["namespace"] == name
        assert admin.delete(path).status_code == 204

    @pytest.mark.parametrize("name", ["created_at", "updated_at", "self", "schema"])
    def test_read_only(self, admin: Client, name: str) -> None:
        assert admin.post(BASE, {"namespace": "N", name: "x"}).status_code == 403

    def test_read_only_inside(self, admin: Client) -> None:
        body = {"namespace": "N", "objects": [{"name": "o", "created_at": "x"}]}
        assert admin.post(BASE, body).status_code == 403

    @pytest.mark.parametrize(
        "document",
        [
            {},
            [],
            [{"namespace": "N"}],
            {"namespace": ""},
            {"namespace": None},
            {"namespace": 5},
            {"namespace": "x" * 81},
            {"namespace": "\U0001f600"},
            {"namespace": "N\0"},
            {"namespace": "N", "foo": 1},
            {"namespace": "N", "display_name": "x" * 81},
            {"namespace": "N", "display_name": None},
            {"namespace": "N", "description": "x" * 501},
            {"namespace": "N", "visibility": "shared"},
            {"namespace": "N", "protected": "yes"},
            {"namespace": "N", "owner": "x" * 256},
            {"namespace": "N", "owner": ""},
            {"namespace": "N", "tags": {}},
            {"namespace": "N", "tags": ["x"]},
            {"namespace": "N", "tags": [{}]},
            {"namespace": "N", "objects": [{"name": "x", "foo": 1}]},
            {"namespace": "N", "objects": [{"name": "x", "required": ["a", "a"]}]},
            {"namespace": "N", "objects": [{"name": "x", "required": ["a,b"]}]},
            {"namespace": "N", "properties": []},
            {"namespace": "N", "properties": {"p": {}}},
            {"namespace": "N", "properties": {"": {"title": "P", "type": "string"}}},
            {"namespace": "N", "properties": {"p" * 81: {"title": "P", "type": "string"}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "foo"}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": None}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "maxLength": -1}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "minLength": True}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "maxItems": 1.5}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "items": {"x": 1}}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "enum": "a"}}},
            {"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "enum": ["\U0001f600"]}}},
            {"namespace": "N", "properties": {"p": {"title": "x" * 65530, "type": "string"}}},
            {"namespace": "N", "resource_type_associations": [{"name": "x", "prefix": "y" * 81}]},
        ],
        ids=lambda document: str(document)[:70],
    )
    def test_nonsense(self, admin: Client, document: object) -> None:
        response = admin.post(BASE, document)
        assert response.status_code == 400, response.text
        assert names(admin) == []

    @pytest.mark.parametrize("depth", [40, 250, 900])
    def test_depths(self, admin: Client, depth: int) -> None:
        body = b'{"namespace": "N", "properties": {"p": {"title": "P", "type": "string", "default": '
        body += b"[" * depth + b"]" * depth + b"}}}"
        assert admin.ask("POST", BASE, content=body).status_code == 400

    def test_errors_name_the_field(self, admin: Client) -> None:
        bad = {"namespace": "N", "objects": [{"name": "o", "properties": {"p": {"title": 1, "type": "x"}}}]}
        assert "objects.0.properties.p.title" in admin.post(BASE, bad).text


class TestShow:
    def test_with_prefix(self, alice: Client, full: str) -> None:
        document = alice.get(f"{full}?resource_type=OS::Glance::Image").json()
        assert set(document["properties"]) == {"hw_cores", "hw_flag", "hw_list"}
        box = document["objects"][0]
        assert (set(box["properties"]), box["required"]) == ({"hw_p"}, ["hw_p"])

    @pytest.mark.parametrize("name", ["OS::Nova::Flavor", "never", ""])
    def test_without_prefix(self, alice: Client, full: str, name: str) -> None:
        assert alice.get(f"{full}?resource_type={name}").json() == alice.get(full).json()

    @pytest.mark.parametrize("name", ["absent", "os::full", "%00", "%F0%9F%98%80", "x" * 300])
    def test_what_is_not_there(self, admin: Client, full: str, name: str) -> None:
        for method in ("GET", "DELETE"):
            response = admin.ask(method, f"{BASE}/{name}")
            assert response.status_code in ((400, 404) if name.startswith("%") else (404,))

    def test_takes_no_body(self, admin: Client, full: str) -> None:
        for method in ("GET", "DELETE"):
            assert admin.ask(method, full, json={}).status_code == 400


class TestReplace:
    def test_all_fields(self, admin: Client, full: str) -> None:
        before = admin.get(full).json()
        response = admin.put(full, {"namespace": "New", "tags": [{"name": "ignored"}]})
        assert response.status_code == 200
        document = response.json()
        assert {"display_name", "description", "tags"}.isdisjoint(document)
        assert document["visibility"] == "private"
        assert document["owner"] == "admin"
        assert document["created_at"] == before["created_at"] < document["updated_at"]
        assert "location" not in response.headers
        assert admin.get(full).status_code == 404
        after = admin.get(f"{BASE}/New").json()
        for part in ("tags", "properties", "resource_type_associations"):
            assert after[part] == before[part]

    def test_name_is_taken(self, admin: Client, full: str) -> None:
        other = make(admin, "other")
        assert admin.put(other, {"namespace": "OS::Full"}).status_code == 409
        assert admin.get(other).status_code == 200

    @pytest.mark.parametrize("document", [{}, [], {"namespace": "x" * 81}, {"namespace": "N", "foo": 1}])
    def test_nonsense(self, admin: Client, full: str, document: object) -> None:
        assert admin.put(full, document).status_code == 400

    def test_what_is_not_there(self, admin: Client) -> None:
        assert admin.put(f"{BASE}/absent", {"namespace": "N"}).status_code == 404


class TestDelete:
    def test_with_all_parts(self, admin: Client, full: str) -> None:
        response = admin.delete(full)
        assert (response.status_code, response.content) == (204, b"")
        assert admin.get(full).status_code == 404
        assert admin.get(f"{full}/tags").status_code == 404
        assert admin.post(BASE, FULL).status_code == 201

    def test_protected(self, admin: Client) -> None:
        path = make(admin, "N", **{**FULL, "namespace": "N", "protected": True})
        targets = ("", "/objects", "/properties", "/tags", "/tags/red", "/objects/Bare", "/properties/cores")
        for target in (*targets, "/resource_types/OS::Nova::Flavor"):
            assert admin.delete(f"{path}{target}").status_code == 403, target
        assert len(admin.get(path).json()["tags"]) == 2
        assert admin.put(path, {"namespace": "N"}).status_code == 200
        assert admin.delete(path).status_code == 204


class TestList:
    def test_nothing(self, alice: Client) -> None:
        assert alice.get(BASE).json() == {
            "namespaces": [],
            "schema": "/v2/schemas/metadefs/namespaces",
            "first": BASE,
        }

    def test_entries_have_associations_and_no_parts(self, alice: Client, full: str) -> None:
        (entry,) = alice.get(BASE).json()["namespaces"]
        shown = alice.get(full).json()
        assert entry == {name: shown[name] for name in shown if name not in ("properties", "objects", "tags")}

    def test_pages(self, admin: Client) -> None:
        for name in ("b", "a c", "d"):
            make(admin, name)
        assert names(admin) == ["d", "a c", "b"]
        assert names(admin, "sort_key=namespace&sort_dir=asc") == ["a c", "b", "d"]
        seen: list[str] = []
        path = f"{BASE}?limit=1&sort_key=namespace"
        while path:
            page = admin.get(path).json()
            assert page["first"] == f"{BASE}?limit=1&sort_key=namespace"
            seen += [item["namespace"] for item in page["namespaces"]]
            path = page.get("next", "")
        assert seen == ["d", "b", "a c"]

    def test_limits(self, make_world: MakeWorld) -> None:
        admin = make_world("[DEFAULT]\nlimit_param_default = 1\napi_limit_max = 2\n").client(ADMIN)
        for name in ("a", "b", "c"):
            make(admin, name)
        assert names(admin) == ["c"]
        assert names(admin, "limit=0") == []
        assert names(admin, "limit=99999999999999999999") == ["c", "b"]

    def test_filters(self, admin: Client, full: str) -> None:
        make(admin, "private")
        assert names(admin, "visibility=public") == ["OS::Full"]
        assert names(admin, "visibility=private") == ["private"]
        assert names(admin, "resource_types=x,OS::Nova::Flavor") == ["OS::Full"]
        assert names(admin, "resource_types=x") == []
        assert len(names(admin, "foo=bar&resource_types=")) == 2

    @pytest.mark.parametrize(
        "query",
        [
            *("limit=-1", "limit=x", "limit=", "limit=1.5", "sort_key=foo", "sort_key=id", "sort_key="),
            *("sort_dir=x", "visibility=x", "visibility=shared", f"resource_types={'x,' * 101}"),
        ],
    )
    def test_nonsense(self, admin: Client, query: str) -> None:
        assert admin.get(f"{BASE}?{query}").status_code == 400

    def test_unknown_marker(self, admin: Client, bob: Client) -> None:
        make(admin, "private")
        assert names(admin, "marker=private") == []
        assert admin.get(f"{BASE}?marker=zz").status_code == 404
        assert bob.get(f"{BASE}?marker=private").status_code == 404


class TestResourceTypes:
    def test_all(self, alice: Client, full: str) -> None:
        types = alice.get("/v2/metadefs/resource_types").json()["resource_types"]
        assert [item["name"] for item in types] == ["OS::Glance::Image", "OS::Nova::Flavor"]
        assert all(set(item) == {"name", "created_at", "updated_at"} for item in types)

    def test_associate(self, admin: Client, full: str) -> None:
        path = f"{full}/resource_types"
        response = admin.post(path, {"name": "new", "prefix": "n_"})
        assert response.status_code == 201
        assert "location" not in response.headers
        assert response.json() in admin.get(path).json()["resource_type_associations"]
        assert admin.post(path, {"name": "new"}).status_code == 409
        assert admin.delete(f"{path}/new").status_code == 204
        assert admin.delete(f"{path}/new").status_code == 404
        assert len(admin.get("/v2/metadefs/resource_types").json()["resource_types"]) == 3

    @pytest.mark.parametrize(
        "document",
        [{}, [], {"name": ""}, {"name": "x" * 81}, {"name": "x", "prefix": None}, {"name": "x", "foo": 1}],
        ids=str,
    )
    def test_nonsense(self, admin: Client, full: str, document: object) -> None:
        assert admin.post(f"{full}/resource_types", document).status_code == 400

    def test_read_only(self, admin: Client, full: str) -> None:
        body = {"name": "x", "created_at": "now"}
        assert admin.post(f"{full}/resource_types", body).status_code == 403
