from pathlib import Path

import pytest

from glimpse.config.files import Source
from glimpse.config.paste import Pipeline, read_pipeline
from glimpse.config.settings import read_config
from glimpse.domain.errors import Invalid

HEAD = ("cors", "http_proxy_to_wsgi", "versionnegotiation", "osprofiler")
SHIPPED = (Path(__file__).parents[2] / "commands" / "etc" / "glance-api-paste.ini").read_text()

# As it was before Glance 27.
OLD = """
[pipeline:glance-api-keystone]
pipeline = cors healthcheck http_proxy_to_wsgi versionnegotiation authtoken context rootapp
[pipeline:glance-api-trusted-auth]
pipeline = versionnegotiation context rootapp
[pipeline:glance-api-bare]
pipeline = versionnegotiation rootapp
[pipeline:glance-api-lost]
pipeline = authtoken nowhere
[pipeline:glance-api-own]
pipeline = shield authtoken context rootapp
[pipeline:glance-api-typo]
pipeline = authtokens context rootapp
[pipeline:glance-api-round]
pipeline = cors glance-api-round
[pipeline:glance-api-empty]
pipeline =
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[filter:shield]
paste.filter_factory = acme.shield:factory
[filter:healthcheck]
use = egg:oslo.middleware#healthcheck
""" + SHIPPED[SHIPPED.index("[filter:versionnegotiation]") :]


def pipeline(folder: Path, flavor: str, text: str | None, name: str = "glance-api-paste.ini") -> Pipeline:
    config = folder / "glance-api.conf"
    config.write_text(f"[paste_deploy]\nflavor = {flavor}\n")
    if text is not None:
        (folder / name).write_text(text)
    source = Source("glance-api", (str(config),))
    return read_pipeline(read_config(source), source)


@pytest.mark.parametrize("text", [SHIPPED, None])
@pytest.mark.parametrize(
    ("flavor", "rest"),
    [
        ("", ("unauthenticated-context",)),
        ("keystone", ("authtoken", "context")),
        ("keystone+caching", ("authtoken", "context", "cache")),
    ],
)
def test_what_comes_with_glance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavor: str, rest: tuple[str, ...], text: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = pipeline(tmp_path, flavor, text)
    assert found.filters == HEAD + rest
    assert found.by_keystone is bool(flavor)
    assert found.without_effect == []
    assert found.file == (str(tmp_path / "glance-api-paste.ini") if text else None)


def test_the_older_kind(tmp_path: Path) -> None:
    names = ("cors", "healthcheck", "http_proxy_to_wsgi", "versionnegotiation", "authtoken", "context")
    assert pipeline(tmp_path, "keystone", OLD).filters == names


@pytest.mark.parametrize(
    ("flavor", "reason"),
    [
        ("kerberos", "kerberos"),
        ("trusted-auth", "authtoken and context go together"),
        ("bare", "has no context"),
        ("lost", "nowhere"),
        ("own", r"shield \(acme.shield:factory\) is not known"),
        ("typo", "no filter authtokens"),
        ("round", "refers to itself"),
        ("empty", "no pipeline"),
    ],
)
def test_what_is_refused(tmp_path: Path, flavor: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        pipeline(tmp_path, flavor, OLD)
    assert str(tmp_path / "glance-api-paste.ini") in str(refused.value)


def test_an_unknown_flavor_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(Invalid, match="kerberos"):
        pipeline(tmp_path, "kerberos", None)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="nothing of the kind"):
        pipeline(tmp_path, "keystone", "nothing of the kind\n")


def test_a_file_with_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert pipeline(tmp_path, "keystone\nconfig_file = own.ini", OLD, "own.ini").file == f"{tmp_path}/own.ini"
    with pytest.raises(Invalid, match="absent"):
        pipeline(tmp_path, "keystone\nconfig_file = absent.ini", OLD)


@pytest.mark.parametrize(
    ("said", "detailed"), [("", None), ("detailed = True", True), ("detailed = no", False)]
)
def test_health_in_detail(tmp_path: Path, said: str, detailed: bool | None) -> None:
    text = SHIPPED.replace("[app:healthcheck]", f"[app:healthcheck]\n{said}")
    assert text != SHIPPED
    assert pipeline(tmp_path, "keystone", text).detailed_health is detailed
