from pathlib import Path

import httpx
import pytest

from glimpse.config.files import Source
from glimpse.config.settings import Settings, settings_of
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import upgrade
from glimpse.registry.client import records_behind
from glimpse.registry.gate import by_secret
from glimpse.registry.service import check_registry
from tests.registry import SECRET, listening, registry_of

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "registry"


def settings(folder: Path, text: str, program: str = "glance-registry") -> Settings:
    path = folder / f"{program}.conf"
    path.write_text(text)
    return settings_of(Source(program, (str(path),)))


def test_it_listens_on_loopback(tmp_path: Path) -> None:
    found = settings(tmp_path, "")
    check_registry(found)
    assert (found.bind_host, found.bind_port) == ("127.0.0.1", 9191)


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("[DEFAULT]\nbind_host = 0.0.0.0\n", "bind_host"),
        (f"[DEFAULT]\nbind_host = 0.0.0.0\n[glimpse]\nregistry_secret = {SECRET}\n", "registry_secret"),
        ("[DEFAULT]\nbind_host = 0.0.0.0\n[paste_deploy]\nflavor = trusted-auth\n", "bind_host"),
        ("[glimpse]\nregistry_secret = short\n", "registry_secret"),
        ("[glimpse]\nclient_ca_file = ca.pem\n", "client_ca_file"),
        ("[paste_deploy]\nflavor = kerberos\n[DEFAULT]\nbind_host = 0.0.0.0\n", "flavor"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, option: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_registry(settings(tmp_path, text))
    assert caught.value.field == option


def test_a_node_sends_no_secret_for_all_to_read(tmp_path: Path) -> None:
    text = "[DEFAULT]\ndata_api = glance.db.registry.api\nregistry_host = registry.example\n"
    with pytest.raises(Invalid, match="registry_client_protocol"):
        settings(tmp_path, f"{text}[glimpse]\nregistry_secret = {SECRET}\n", "glance-api")


def test_the_secret_is_not_shown(tmp_path: Path) -> None:
    assert SECRET not in repr(settings(tmp_path, f"[glimpse]\nregistry_secret = {SECRET}\n").registry)


def test_the_examples() -> None:
    node = settings_of(Source("glance-api", (str(EXAMPLES / "glance-api.conf"),)))
    registry = settings_of(Source("glance-registry", (str(EXAMPLES / "glance-registry.conf"),)))
    assert node.registry.link is not None
    assert (node.registry.link.tls, node.registry.link.port) == (True, registry.bind_port)
    assert registry.registry.link is None


def test_another_secret_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path}/db"
    upgrade(url)
    database = connect(url)
    with (
        registry_of(open_records(database), "x" * 40) as registry,
        pytest.raises(Unavailable, match="refuses"),
    ):
        records_behind(registry).jobs.get("")
    database.close()
    assert "refuses this node" in caplog.text
    assert "x" * 40 not in caplog.text


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer wrong", 401), (f"Basic {SECRET}", 401), (f"Bearer {SECRET}", 404)],
)
def test_strangers(tmp_path: Path, authorization: str, status: int) -> None:
    database = connect(f"sqlite:///{tmp_path}/db")
    with listening(open_records(database), by_secret(SECRET)) as link:
        url = f"http://127.0.0.1:{link.port}/v1/images.get/of-another-release"
        answer = httpx.post(url, headers={"Authorization": authorization}, trust_env=False)
    database.close()
    assert answer.status_code == status
