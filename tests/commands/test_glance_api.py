"""`glance-api` with the files that an operator of Glance has."""

import re
from pathlib import Path

import pytest

from glimpse.config.files import Source
from glimpse.config.report import Kind, findings
from glimpse.config.settings import read_config, settings_of
from tests.commands.glance import GlanceApi

ETC = Path(__file__).parent / "etc"


@pytest.fixture
def etc(glance: GlanceApi) -> Path:
    """The folder with the operator's files."""
    for file in ETC.iterdir():
        text = file.read_text().replace("@FOLDER@", str(glance.folder)).replace("@PORT@", str(glance.port))
        (glance.folder / file.name).write_text(text)
    return glance.folder


def set_option(glance: GlanceApi, group: str, line: str) -> None:
    text = glance.config.read_text()
    glance.config.write_text(text.replace(f"[{group}]\n", f"[{group}]\n{line}\n", 1))


def test_every_option_of_upstream_is_known(glance: GlanceApi, etc: Path) -> None:
    text = glance.config.read_text()
    glance.config.write_text(re.sub(r"^#(\w+ = )(?!<None>)", r"\1", text, flags=re.MULTILINE))
    source = Source("glance-api", (str(glance.config),))
    settings = settings_of(source)
    assert settings.workers == 2
    found = findings(source, read_config(source))
    assert [str(each) for each in found if each.kind is Kind.UNKNOWN] == []
    assert len(found) > 20


def test_it_starts_and_stops_with_the_operators_files(glance: GlanceApi, etc: Path) -> None:
    glance.start()
    assert glance.get("/healthcheck").status_code == 200
    assert glance.get("/").status_code == 300
    refused = glance.get("/v2/images")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Keystone uri='http://127.0.0.1:9/identity'".replace(
        "'", '"'
    )
    log = (etc / "api.log").read_text()
    assert re.search(rf"WARNING .*{etc}/glance-api.conf:\d+: \[DEFAULT\] enable_v2_registry is removed", log)
    assert log.count("enable_v2_registry") == 1
    assert "secret" not in log
    assert (etc / "glance.sqlite").exists()
    assert (etc / "images").is_dir()
    assert glance.stop() == 0


def test_a_broken_policy_file_is_refused(glance: GlanceApi, etc: Path) -> None:
    (etc / "policy.yaml").write_text('"get_image": "role:admin"\n"get_images": [unclosed\n')
    assert glance.launch().wait(15) == 1
    assert "policy.yaml" in glance.log


def test_a_broken_property_protection_file_is_refused(glance: GlanceApi, etc: Path) -> None:
    (etc / "protections.conf").write_text("[^x_.*]\ncreate = admin\n")
    set_option(glance, "DEFAULT", "property_protection_file = protections.conf")
    assert glance.launch().wait(15) == 1
    assert "protections.conf" in glance.log


def test_an_unknown_flavor_is_refused(glance: GlanceApi, etc: Path) -> None:
    glance.config.write_text(glance.config.read_text().replace("flavor = keystone", "flavor = kerberos"))
    assert glance.launch().wait(15) == 1
    assert "kerberos" in glance.log


def test_a_pipeline_without_identity_stays_on_this_machine(glance: GlanceApi, etc: Path) -> None:
    text = glance.config.read_text().replace("flavor = keystone", "")
    glance.config.write_text(text.replace("bind_host = 127.0.0.1", "bind_host = 0.0.0.0"))
    assert glance.launch().wait(15) == 1
    assert "allow_noauth_on_network" in glance.log


@pytest.mark.parametrize("line", ["token_cache_time = soon", "auth_type = passport"])
def test_a_wrong_value_for_the_middleware_is_refused(glance: GlanceApi, etc: Path, line: str) -> None:
    glance.config.write_text(glance.config.read_text().replace("\nauth_type = password\n", f"\n{line}\n"))
    assert glance.launch().wait(15) == 1
    assert line.split()[2] in glance.log.splitlines()[-1]
    assert glance.log.splitlines()[-1].startswith("ERROR: Invalid ")
