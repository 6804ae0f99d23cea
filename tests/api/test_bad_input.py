"""Bad input: the right code, a message that names the field and the limit, nothing changed, never 500."""

from collections.abc import Sequence

import pytest

from tests.api.world import NEWER, OLDER, Client, World, change, older

LONG = "x" * 256
ROCKET = "\N{ROCKET}"

# What a number becomes that is too large; no JSON document has it in so many words.
INFINITE = float("inf")


def _each(*names: str, values: Sequence[object], says: str = "") -> list[tuple[str, object, str]]:
    return [(name, value, says) for name in names for value in values]


# Field, value, what the message says besides the field.
BAD_VALUES: list[tuple[str, object, str]] = [
    *_each("name", values=(5, 1.5, True, [], {}, ["x"])),
    ("name", LONG, "255"),
    ("name", ROCKET, "Basic Multilingual Plane"),
    ("name", "a\0b", "NUL"),
    *_each("visibility", values=(5, [], {}, "", "PUBLIC", "hidden", None)),
    ("visibility", "everybody", "public, community, shared, private"),
    *_each("protected", "os_hidden", values=("true", 1, 0, "", [], None)),
    *_each("disk_format", values=(5, [], {}, "", "RAW", "exe", True)),
    ("disk_format", "floppy", "raw"),
    *_each("container_format", values=(5, [], {}, "", "BARE", "zip")),
    ("container_format", "box", "bare"),
    *_each("min_ram", "min_disk", values=("5", 1.5, 1.0, True, None, [], INFINITE, 10**30, -(10**30))),
    *_each("min_ram", "min_disk", values=(-1, 2**31, 2**63), says="2147483647"),
    *_each("tags", values=("x", 5, {}, None, [5], [None], [["x"]], [True], {"a": 1})),
    ("tags", ["fine", LONG], "255"),
    ("tags", ["fine", ROCKET], "Basic Multilingual Plane"),
    ("tags", ["a\0"], "NUL"),
    *_each("custom", values=(5, 1.5, True, None, [], {}, ["x"])),
    ("custom", "x" * 65536, "65535"),
    ("custom", ROCKET, "Basic Multilingual Plane"),
    ("custom", "\0", "NUL"),
]

# Names that cannot be a property's.
BAD_NAMES = [(LONG, "255"), (ROCKET, "Basic Multilingual Plane"), ("a\0", "NUL")]


def _identity(value: object) -> str:
    return repr(value)[:24]


@pytest.mark.parametrize(("name", "value", "says"), BAD_VALUES, ids=_identity)
def test_create(alice: Client, admin: Client, name: str, value: object, says: str) -> None:
    if value == INFINITE:
        response = alice.ask("POST", "/v2/images", content=f'{{"{name}": 1e400}}'.encode())
    else:
        response = alice.post("/v2/images", {"name": "fine", name: value})
    assert response.status_code == 400
    assert name in response.text or "body" in response.text
    assert says in response.text
    assert admin.names("visibility=all") == []


@pytest.mark.parametrize(
    ("name", "value", "says"), [row for row in BAD_VALUES if row[1] != INFINITE], ids=_identity
)
def test_patch(alice: Client, name: str, value: object, says: str) -> None:
    image = alice.create(tags=["a"])
    for media, make, operation in (
        (NEWER, change, "add"),
        (NEWER, change, "replace"),
        (OLDER, older, "add"),
        (OLDER, older, "replace"),
    ):
        # In the older dialect an attribute that is there cannot be added, whatever the value.
        conflict = media == OLDER and operation == "add" and name != "custom"
        response = alice.patch(image["id"], make(operation, name, value), media=media)
        assert response.status_code == (409 if conflict else 400)
        assert name in response.text
        assert conflict or says in response.text
    assert alice.show(image["id"]) == image


@pytest.mark.parametrize(("name", "says"), BAD_NAMES, ids=_identity)
def test_names_of_properties(alice: Client, name: str, says: str) -> None:
    """Upstream does not measure them in a patch."""
    image = alice.create()
    for response in (
        alice.post("/v2/images", {name: "x"}),
        alice.patch(image["id"], change("add", name, "x")),
        alice.patch(image["id"], older("add", name, "x"), media=OLDER),
        alice.patch(image["id"], change("remove", name)),
    ):
        assert response.status_code == 400
        assert "property name" in response.text
        assert says in response.text
    assert alice.show(image["id"]) == image


@pytest.mark.parametrize("owner", [5, [], True, LONG, ROCKET, "\0"], ids=_identity)
def test_owner(admin: Client, owner: object) -> None:
    image = admin.create()
    for response in (
        admin.post("/v2/images", {"owner": owner}),
        admin.patch(image["id"], change("replace", "owner", owner)),
    ):
        assert response.status_code == 400
        assert "owner" in response.text
    assert admin.show(image["id"]) == image


@pytest.mark.parametrize(
    "text",
    ["\\ud800", "\\udfff", "\\ud800x", "\\udc00\\ud800", "\\ud83d"],
)
@pytest.mark.parametrize("template", ['{"name": "%s"}', '{"%s": "x"}', '{"p": "%s"}', '{"tags": ["%s"]}'])
def test_lone_surrogates(alice: Client, template: str, text: str) -> None:
    response = alice.ask("POST", "/v2/images", content=(template % text).encode())
    assert response.status_code == 400
    assert alice.names() == []


@pytest.mark.parametrize("template", ['{"name": "%s"}', '{"%s": "x"}', '{"p": "%s"}', '{"tags": ["%s"]}'])
def test_escaped_characters_beyond_the_plane(alice: Client, template: str) -> None:
    response = alice.ask("POST", "/v2/images", content=(template % "\\ud83d\\ude80").encode())
    assert response.status_code == 400


def test_message_does_not_repeat_a_huge_value(alice: Client) -> None:
    """An answer that is as long as the question is a gift to whoever wants to waste memory."""
    huge = ["x" * 1000] * 1000
    for response in (
        alice.post("/v2/images", {"name": huge}),
        alice.post("/v2/images", {"visibility": "x" * 60000}),
        alice.patch(alice.create()["id"], {"op": "x" * 100000, "path": "/name"}),
        alice.patch(alice.create()["id"], {"op": "add", "path": "x" * 100000, "value": ""}),
    ):
        assert response.status_code == 400
        assert len(response.content) < 2000


@pytest.mark.parametrize("character", ["\x01", "\x1f", "\x7f", "\ufffe", "\uffff", "\u202e", "\ue000", "é"])
def test_strange_characters_that_a_database_can_hold(alice: Client, character: str) -> None:
    given = {"name": character, "p": character, "tags": [character]}
    image = alice.create(**given)
    assert alice.show(image["id"]).items() >= given.items()
    assert alice.names(f"sort=name:asc&limit=1&marker={image['id']}") == []


@pytest.mark.parametrize(
    "image_id",
    [
        *("x", "%00", "..%2F..%2Fetc%2Fpasswd", "%ff", "%F0%9F%9A%80", "x" * 3000, "%0d%0a"),
        *("1'%20OR%20'1'='1", "*", "null", "%25s", "11111111222243338444555555555555"),
    ],
)
def test_ids_that_are_none_are_not_found(world: World, alice: Client, image_id: str) -> None:
    alice.active()
    for method, below in (
        ("GET", ""),
        ("GET", "/file"),
        ("DELETE", ""),
        ("GET", "/members"),
        ("PUT", "/tags/x"),
    ):
        response = alice.ask(method, f"/v2/images/{image_id}{below}")
        assert response.status_code in (300, 404)
    assert len(alice.names()) == 1
    assert len(world.files()) == 1


def test_id_in_another_case_is_another_image(alice: Client) -> None:
    image = alice.create(id="AAAAAAAA-bbbb-4ccc-8ddd-0123456789ab")
    assert alice.get(f"/v2/images/{image['id'].lower()}").status_code == 404
