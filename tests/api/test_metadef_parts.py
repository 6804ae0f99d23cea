"""Metadata definitions: the objects, properties and tags of a namespace."""

import pytest

from tests.api.world import Client, Json, without

BASE = "/v2/metadefs/namespaces"
OBJECT: Json = {
    "name": "o",
    "description": "An object",
    "required": ["p"],
    "properties": {"p": {"title": "P", "type": "number", "default": 1.5, "maximum": 2}},
}
PROPERTY: Json = {"name": "p", "title": "P", "type": "string", "enum": ["a", "b"], "default": "a"}


@pytest.fixture
def path(admin: Client) -> str:
    """Where an empty public namespace with a prefix for images is."""
    association = {"name": "Image", "prefix": "hw_"}
    body = {"namespace": "N", "visibility": "public", "resource_type_associations": [association]}
    assert admin.post(BASE, body).status_code == 201
    return f"{BASE}/N"


def tags(client: Client, path: str, query: str = "") -> list[str]:
    response = client.get(f"{path}/tags?{query}")
    assert response.status_code == 200, response.text
    document = response.json()
    assert document.keys() == {"tags"}
    assert all(tag.keys() == {"name"} for tag in document["tags"])
    return [tag["name"] for tag in document["tags"]]


class TestObjects:
    def test_create(self, admin: Client, alice: Client, path: str) -> None:
        response = admin.post(f"{path}/objects", OBJECT)
        assert response.status_code == 201
        assert "location" not in response.headers
        document = response.json()
        assert document == {
            **OBJECT,
            "properties": {"p": {**OBJECT["properties"]["p"], "default": "1.5"}},
            "created_at": document["created_at"],
            "updated_at": document["created_at"],
            "self": f"{path}/objects/o",
            "schema": "/v2/schemas/metadefs/object",
        }
        assert alice.get(f"{path}/objects/o").json() == document
        listed = alice.get(f"{path}/objects").json()
        assert listed == {"objects": [document], "schema": "v2/schemas/metadefs/objects"}
        assert admin.post(f"{path}/objects", OBJECT).status_code == 409

    def test_replace(self, admin: Client, path: str) -> None:
        before = admin.post(f"{path}/objects", OBJECT).json()
        after = admin.put(f"{path}/objects/o", {"name": "new"}).json()
        assert "description" not in after
        assert (after["name"], after["required"], after["properties"]) == ("new", [], {})
        assert after["created_at"] == before["created_at"] < after["updated_at"]
        assert admin.get(f"{path}/objects/o").status_code == 404
        assert admin.put(f"{path}/objects/o", OBJECT).status_code == 404

    def test_rename_onto_another(self, admin: Client, path: str) -> None:
        for name in ("a", "b"):
            admin.post(f"{path}/objects", {"name": name})
        assert admin.put(f"{path}/objects/a", {"name": "b"}).status_code == 409
        assert admin.put(f"{path}/objects/a", {"name": "a", "description": "x"}).status_code == 200

    @pytest.mark.parametrize(
        "document",
        [
            *({}, [], {"name": ""}, {"name": 1}, {"name": "x" * 81}, {"name": "o", "foo": 1}),
            {"name": "o", "properties": {"p": {"title": "P"}}},
            {"name": "o", "required": "p"},
        ],
        ids=str,
    )
    def test_nonsense(self, admin: Client, path: str, document: object) -> None:
        assert admin.post(f"{path}/objects", document).status_code == 400
        assert admin.put(f"{path}/objects/o", document).status_code == 400

    @pytest.mark.parametrize("name", ["self", "schema", "created_at", "updated_at"])
    def test_read_only(self, admin: Client, path: str, name: str) -> None:
        assert admin.post(f"{path}/objects", {"name": "o", name: "x"}).status_code == 403

    @pytest.mark.parametrize(("limit", "status"), [("1", 200), ("0", 400), ("-1", 400), ("x", 400)])
    def test_lists_have_no_pages(self, admin: Client, path: str, limit: str, status: int) -> None:
        for name in ("a", "b"):
            admin.post(f"{path}/objects", {"name": name})
        response = admin.get(f"{path}/objects?limit={limit}&marker=zz&sort_key=foo")
        assert response.status_code == status
        if status == 200:
            assert [item["name"] for item in response.json()["objects"]] == ["a", "b"]

    def test_delete(self, admin: Client, path: str) -> None:
        for name in ("a", "b", "c"):
            admin.post(f"{path}/objects", {"name": name})
        assert admin.delete(f"{path}/objects/a").status_code == 204
        assert admin.delete(f"{path}/objects/a").status_code == 404
        assert len(admin.get(f"{path}/objects").json()["objects"]) == 2
        assert admin.delete(f"{path}/objects").status_code == 204
        assert admin.delete(f"{path}/objects").status_code == 204
        assert admin.get(f"{path}/objects").json()["objects"] == []


class TestProperties:
    def test_create(self, admin: Client, alice: Client, path: str) -> None:
        response = admin.post(f"{path}/properties", PROPERTY)
        assert (response.status_code, response.json()) == (201, PROPERTY)
        assert "location" not in response.headers
        assert alice.get(f"{path}/properties/p").json() == PROPERTY
        assert alice.get(f"{path}/properties").json() == {"properties": {"p": without(PROPERTY, "name")}}
        assert admin.post(f"{path}/properties", PROPERTY).status_code == 409

    def test_by_their_names_on_a_resource(self, admin: Client, alice: Client, path: str) -> None:
        admin.post(f"{path}/properties", PROPERTY)
        admin.post(f"{path}/resource_types", {"name": "Bare"})
        show = f"{path}/properties"
        assert alice.get(f"{show}/hw_p?resource_type=Image").json()["name"] == "p"
        assert alice.get(f"{show}/p?resource_type=Bare").json()["name"] == "p"
        assert alice.get(f"{show}/p?foo=bar").status_code == 200
        for bad in ("p?resource_type=Image", "hw_p?resource_type=never", "p?resource_type=never", "hw_p"):
            assert alice.get(f"{show}/{bad}").status_code == 404

    def test_replace(self, admin: Client, path: str) -> None:
        admin.post(f"{path}/properties", PROPERTY)
        wanted = {"name": "new", "title": "N", "type": "integer", "description": "x"}
        assert admin.put(f"{path}/properties/p", wanted).json() == wanted
        assert admin.get(f"{path}/properties").json() == {"properties": {"new": without(wanted, "name")}}
        assert admin.put(f"{path}/properties/p", wanted).status_code == 404
        admin.post(f"{path}/properties", PROPERTY)
        assert admin.put(f"{path}/properties/p", wanted).status_code == 409

    @pytest.mark.parametrize(
        "document",
        [
            *({}, [], {"name": "p"}, {"name": "p", "title": "P"}, {"title": "P", "type": "string"}),
            *({**PROPERTY, "name": "x" * 81}, {**PROPERTY, "name": ""}, {**PROPERTY, "foo": 1}),
            *({**PROPERTY, "type": "null"}, {**PROPERTY, "title": None}, {**PROPERTY, "minimum": "1"}),
            *({**PROPERTY, "required": ["a", "a"]}, {**PROPERTY, "minItems": -1}, {**PROPERTY, "self": "x"}),
        ],
        ids=str,
    )
    def test_nonsense(self, admin: Client, path: str, document: object) -> None:
        assert admin.post(f"{path}/properties", document).status_code == 400
        assert admin.put(f"{path}/properties/p", document).status_code == 400

    def test_read_only(self, admin: Client, path: str) -> None:
        assert admin.post(f"{path}/properties", {**PROPERTY, "created_at": "x"}).status_code == 403

    def test_delete(self, admin: Client, path: str) -> None:
        for name in ("a", "b"):
            admin.post(f"{path}/properties", {**PROPERTY, "name": name})
        assert admin.delete(f"{path}/properties/a").status_code == 204
        assert admin.delete(f"{path}/properties/a").status_code == 404
        assert admin.delete(f"{path}/properties").status_code == 204
        assert admin.get(f"{path}/properties").json() == {"properties": {}}


class TestTags:
    def test_one(self, admin: Client, alice: Client, path: str) -> None:
        response = admin.post(f"{path}/tags/red")
        assert response.status_code == 201
        document = response.json()
        assert document.keys() == {"name", "created_at", "updated_at"}
        assert alice.get(f"{path}/tags/red").json() == document
        assert admin.post(f"{path}/tags/red").status_code == 409
        assert admin.ask("POST", f"{path}/tags/blue", json={"name": "blue"}).status_code == 400
        assert admin.post(f"{path}/tags/{'x' * 81}").status_code == 400

    def test_rename(self, admin: Client, path: str) -> None:
        for name in ("red", "blue"):
            admin.post(f"{path}/tags/{name}")
        assert admin.put(f"{path}/tags/red", {"name": "green"}).json()["name"] == "green"
        assert admin.put(f"{path}/tags/green", {"name": "blue"}).status_code == 409
        assert admin.put(f"{path}/tags/red", {"name": "x"}).status_code == 404
        nonsense: tuple[object, ...] = ({}, [], {"name": ""}, {"name": "x", "foo": 1})
        for bad in nonsense:
            assert admin.put(f"{path}/tags/green", bad).status_code == 400
        assert admin.put(f"{path}/tags/green", {"name": "x", "created_at": ""}).status_code == 403

    def test_several(self, admin: Client, path: str) -> None:
        body = {"tags": [{"name": "b"}, {"name": "a"}]}
        response = admin.post(f"{path}/tags", body)
        assert (response.status_code, response.json()) == (201, body)
        assert admin.post(f"{path}/tags", {"tags": [{"name": "c"}]}).status_code == 201
        assert tags(admin, path) == ["c"]
        assert admin.post(f"{path}/tags", {"tags": []}).status_code == 201
        assert tags(admin, path) == ["c"]

    def test_append(self, admin: Client, path: str) -> None:
        for name in ("a", "b"):
            response = admin.ask(
                "POST",
                f"{path}/tags",
                json={"tags": [{"name": name}]},
                headers={"X-Openstack-Append": "True"},
            )
            assert response.status_code == 201
        assert tags(admin, path) == ["b", "a"]
        twice = {"tags": [{"name": "c"}, {"name": "a"}]}
        headers = {"X-Openstack-Append": "true"}
        assert admin.ask("POST", f"{path}/tags", json=twice, headers=headers).status_code == 409
        assert tags(admin, path) == ["b", "a"]

    @pytest.mark.parametrize(
        ("document", "status"),
        [
            *(({}, 400), ([], 400), ({"tags": {}}, 400), ({"tags": ["a"]}, 400), ({"tags": [{}]}, 400)),
            *(({"tags": [], "foo": 1}, 400), ({"tags": [{"name": "\U0001f600"}]}, 400)),
            ({"tags": [{"name": "a"}, {"name": "a"}]}, 409),
        ],
        ids=str,
    )
    def test_nonsense(self, admin: Client, path: str, document: object, status: int) -> None:
        admin.post(f"{path}/tags/old")
        assert admin.post(f"{path}/tags", document).status_code == status
        assert tags(admin, path) == ["old"]

    def test_pages(self, admin: Client, path: str) -> None:
        for name in ("b", "c", "a"):
            admin.post(f"{path}/tags/{name}")
        assert tags(admin, path) == ["a", "c", "b"]
        assert tags(admin, path, "sort_dir=asc") == ["b", "c", "a"]
        assert tags(admin, path, "sort_key=name") == ["c", "b", "a"]
        assert tags(admin, path, "sort_key=name&sort_dir=asc&marker=a&limit=1") == ["b"]
        assert tags(admin, path, "limit=0") == []
        assert admin.get(f"{path}/tags?marker=zz").status_code == 404
        for bad in ("limit=-1", "limit=x", "sort_key=foo", "sort_dir=x"):
            assert admin.get(f"{path}/tags?{bad}").status_code == 400

    def test_of_one_moment_the_last_comes_first(self, admin: Client, path: str) -> None:
        admin.post(f"{path}/tags", {"tags": [{"name": name} for name in "abc"]})
        assert tags(admin, path) == ["c", "b", "a"]

    def test_delete(self, admin: Client, path: str) -> None:
        admin.post(f"{path}/tags", {"tags": [{"name": name} for name in "abc"]})
        assert admin.delete(f"{path}/tags/a").status_code == 204
        assert admin.delete(f"{path}/tags/a").status_code == 404
        assert admin.delete(f"{path}/tags").status_code == 204
        assert tags(admin, path) == []
