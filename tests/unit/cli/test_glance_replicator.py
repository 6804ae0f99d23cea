"""How operators speak to `glance-replicator`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from glimpse.cli.glance_replicator import base_url, glance_replicator
from glimpse.domain.errors import Invalid
from tests.sources import Handler, Source, serving

LIST = "/v2/images?visibility=all&member_status=all&sort_key=created_at&sort_dir=asc"
LISTS = (LIST, f"{LIST}&os_hidden=true")


def run(*words: str, **environment: str) -> tuple[int, str]:
    """The exit status, and what is said, of an error too."""
    done = CliRunner(env={"OS_TOKEN": None, "OS_AUTH_URL": None, "OS_USERNAME": None, **environment}).invoke(
        glance_replicator, [*words]
    )
    return done.exit_code, f"{done.output}{done.exception or ''}"


@pytest.fixture
def tokens() -> list[str | None]:
    """The tokens that the source was shown."""
    return []


@pytest.fixture
def source(tokens: list[str | None]) -> Iterator[Source]:
    """A service without images."""

    def images(handler: Handler) -> None:
        tokens.append(handler.headers.get("X-Auth-Token") or handler.headers.get("Authorization"))
        handler.reply(200, b'{"images": []}')

    with serving() as made:
        made.pages.update(dict.fromkeys(LISTS, images))
        yield made


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 0, "livecopy <source> <target>"),
        (("help",), 0, "livecopy <source> <target>"),
        (("help", "load"), 0, "load <server> <path>"),
        (("help", "move"), 1, "there is none called 'move'"),
        (("move", "a:1"), 1, "there is none called 'move'"),
        (("dump", "127.0.0.1:1"), 1, "dump <server> <path> is expected"),
        (("size", "127.0.0.1:1", "more"), 1, "size <server> is expected"),
        (("size", "127.0.0.1:1"), 1, "The image service is not available"),
        (("-c", "0", "size", "127.0.0.1:1"), 1, "chunksize"),
    ],
)
def test_usage(words: tuple[str, ...], code: int, said: str) -> None:
    ended, output = run(*words)
    assert ended == code
    assert said in output


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("image.example:9292", "http://image.example:9292"),
        ("[::1]:9292", "http://[::1]:9292"),
        ("https://image.example", "https://image.example"),
        ("https://image.example:443/image/v2/", "https://image.example:443/image"),
    ],
)
def test_servers_are_named_by_address_or_url(server: str, url: str) -> None:
    assert base_url(server) == url


@pytest.mark.parametrize(
    "server",
    ["", "host", "host:", "host:0", "host:65536", "host:1\n", "ftp://host", "http://me@host", "a b:1"],
)
def test_other_names_are_refused(server: str) -> None:
    with pytest.raises(Invalid):
        base_url(server)


@pytest.mark.parametrize(
    ("words", "environment", "shown"),
    [
        ((), {}, None),
        (("-t", "both"), {}, "both"),
        (("-M", "one"), {}, "one"),
        (("--mastertoken", "one", "-S", "two"), {}, "two"),
        ((), {"OS_TOKEN": "three"}, "three"),
        (("--os-username", "me", "--os-password", "pw"), {}, "Basic bWU6cHc="),
    ],
)
def test_tokens_are_shown(
    source: Source, tokens: list[str | None], words: tuple[str, ...], environment: dict[str, str], shown: str
) -> None:
    code, output = run("size", source.url(""), *words, **environment)
    assert (code, output) == (0, "Total size is 0 bytes (0.0 B) across 0 images\n")
    assert tokens == [shown, shown]


def test_tokens_of_files_are_shown_to_their_sides(
    source: Source, tokens: list[str | None], tmp_path: Path
) -> None:
    config = tmp_path / "glance-replicator.conf"
    config.write_text("[DEFAULT]\nmastertoken = one\ntargettoken = two\n")
    words = ("--config-file", str(config), "--log-file", str(tmp_path / "log"))
    url = source.url("")
    assert run(*words, "dump", url, str(tmp_path / "dump"))[0] == 0
    assert run(*words, "size", url)[0] == 0
    assert tokens == ["one", "one", "two", "two"]


def test_tokens_are_not_taken_elsewhere(source: Source, tokens: list[str | None]) -> None:
    with serving() as other:
        other.pages[LIST] = lambda handler: handler.reply(302, Location=source.url(LIST))
        code, output = run("size", other.url(""), "-t", "secret")
    assert code == 1
    assert "no JSON document" in output
    assert tokens == []


def test_a_name_that_is_no_id_makes_no_file(source: Source, tmp_path: Path) -> None:
    image = {"id": "passwd", "status": "active", "size": 4}
    body = json.dumps({"images": [image]}).encode()
    source.pages[LIST] = lambda handler: handler.reply(200, body)
    code, _ = run("dump", source.url(""), str(tmp_path / "dump"))
    assert code == 1
    assert list((tmp_path / "dump").iterdir()) == []
