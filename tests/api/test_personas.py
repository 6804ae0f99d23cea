"""Who may do what: one table of deeds, and what each person is answered.

What somebody cannot see is not there (404); what they can see and must not touch is forbidden (403).
"""

import pytest

from tests.api.world import (
    ADMIN,
    ALICE,
    ANONYMOUS,
    BOB,
    CAROL,
    DATA_TYPE,
    DRIFTER,
    NEWER,
    NOBODY,
    READER,
    Client,
    Json,
    World,
    change,
)

# Those who are refused most come first: what they leave untouched is for the next one.
PERSONAS = {
    "nobody": NOBODY,
    "roleless": "Persona rolf;project=a;roles=",
    "service": "Persona nova;project=services;roles=service",
    "passed on": "Persona rolf;project=a;roles=;service=admin,member,reader",
    "system": "Persona sys;system=all;roles=admin,member,reader",
    "domain": "Persona dom;domain=default;roles=admin,member,reader",
    "anonymous": ANONYMOUS,
    "drifter": DRIFTER,
    "stranger": CAROL,
    "reader": READER,
    "member": BOB,
    "owner": ALICE,
    "admin": ADMIN,
}

# Deed: method, path below the image, and what the owner is answered. Order matters for no one: each is done
# on a world of its own.
DEEDS = {
    "show": ("GET", "", 200),
    "rename": ("PATCH", "", 200),
    "delete": ("DELETE", "", 204),
    "upload": ("PUT", "/file", 409),
    "download": ("GET", "/file", 200),
    "deactivate": ("POST", "/actions/deactivate", 204),
    "reactivate": ("POST", "/actions/reactivate", 204),
    "tag": ("PUT", "/tags/new", 204),
    "untag": ("DELETE", "/tags/old", 204),
    "list members": ("GET", "/members", 200),
    "show member": ("GET", "/members/b", 200),
    "add member": ("POST", "/members", 200),
    "answer": ("PUT", "/members/b", 403),
    "remove member": ("DELETE", "/members/b", 204),
}
# For them no rule about images holds, so that there are none.
BLIND = {"roleless", "service", "passed on", "system", "domain"}
LISTING = {"reader", "drifter"}
READING = {"show", "list members", "show member"}
SHARED_ONLY = {"list members", "show member", "add member", "answer", "remove member"}


def _do(client: Client, image_id: str, deed: str) -> int:
    method, below, _ = DEEDS[deed]
    path = f"/v2/images/{image_id}{below}"
    match deed:
        case "rename":
            body, media = [change("add", "name", "new")], NEWER
            return client.ask(method, path, json=body, headers={"Content-Type": media}).status_code
        case "upload":
            headers = {"Content-Type": DATA_TYPE}
            return client.ask(method, path, content=b"evil", headers=headers).status_code
        case "add member":
            return client.ask(method, path, json={"member": "d"}).status_code
        case "answer":
            return client.ask(method, path, json={"status": "accepted"}).status_code
    return client.ask(method, path).status_code


def _expected(person: str, visibility: str, deed: str) -> int:
    """The rule in words: see it or it is not there; then the role and the project must fit."""
    owners = DEEDS[deed][2]
    if person == "nobody":
        return 401
    sees = {
        "shared": ("owner", "reader", "member", "admin"),
        "private": ("owner", "reader", "admin"),
    }.get(visibility, ("owner", "reader", "member", "stranger", "drifter", "admin"))
    if person not in sees or person in BLIND:
        return 404
    if deed == "show member" and visibility != "shared":
        return 404
    if deed == "answer":
        return _answering(person)
    if deed in SHARED_ONLY and visibility != "shared":
        return 403
    return owners if _may(person, deed) else 403


def _answering(person: str) -> int:
    if person in ("admin", "member"):
        return 200
    return 403 if person in ("owner", "reader") else 404


def _may(person: str, deed: str) -> bool:
    if person in ("owner", "admin") or deed == "show":
        return True
    if person == "reader":
        return deed in READING
    if deed == "download":
        return True
    return person == "member" and deed in READING


@pytest.mark.parametrize(
    ("visibility", "deed"),
    [
        (visibility, deed)
        for visibility in ("private", "shared", "community", "public")
        for deed in DEEDS
        if deed != "answer" or visibility == "shared"
    ],
)
def test_deed(world: World, visibility: str, deed: str) -> None:
    alice, admin = world.client(ALICE), world.client(ADMIN)
    before: Json | None = None
    for person, persona in PERSONAS.items():
        if before is None:
            image = alice.active(tags=["old"])
            alice.share(image["id"], "b", "accepted")
            admin.patch(image["id"], change("replace", "visibility", visibility))
            before = admin.show(image["id"])
        status = _do(world.client(persona), before["id"], deed)
        assert (person, status) == (person, _expected(person, visibility, deed))
        if status >= 400:
            assert admin.show(before["id"]) == before
            assert admin.data(before["id"]).content == b"0123456789"
        elif DEEDS[deed][0] != "GET":
            before = None


@pytest.mark.parametrize("person", PERSONAS)
def test_create_and_list(world: World, person: str) -> None:
    client = world.client(PERSONAS[person])
    denied = 401 if person == "nobody" else 403
    writes = person in ("stranger", "member", "owner", "admin")
    assert client.post("/v2/images", {}).status_code == (201 if writes else denied)
    assert client.post("/v2/images", {"visibility": "public"}).status_code == (
        201 if person == "admin" else denied
    )
    assert client.post("/v2/images", {"owner": "x"}).status_code == (201 if person == "admin" else denied)
    lists = writes or person in LISTING
    assert client.get("/v2/images").status_code == (200 if lists else denied)


@pytest.mark.parametrize("deed", ["rename", "delete", "deactivate", "tag", "untag"])
def test_image_without_owner_is_nobodys(world: World, deed: str) -> None:
    """That neither has a project must not make a caller the owner of an image."""
    image = world.client(ADMIN).active(owner=None, visibility="public", tags=["old"])
    for persona in (DRIFTER, ALICE):
        assert _do(world.client(persona), image["id"], deed) == 403
    assert world.client(ADMIN).show(image["id"]) == image


def test_project_called_none_is_not_nobodys(world: World) -> None:
    image = world.client(ADMIN).active(owner=None, visibility="public")
    impostor = world.client("Persona x;project=None;roles=member,reader")
    assert impostor.delete(f"/v2/images/{image['id']}").status_code == 403


def test_reader_of_another_project_cannot_download(world: World) -> None:
    image = world.client(ADMIN).active(visibility="public")
    reader = world.client("Persona r;project=r;roles=reader")
    assert reader.get(f"/v2/images/{image['id']}").status_code == 200
    assert reader.data(image["id"]).status_code == 403


def test_roles_without_reader_see_nothing(world: World) -> None:
    image = world.client(ADMIN).active(visibility="public")
    assert (
        world.client("Persona m;project=m;roles=member").get(f"/v2/images/{image['id']}").status_code == 404
    )
