"""Tempest's image tests. Nothing fails, and `docs/conformance.md` explains each test that is skipped."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.environment import CHECKOUT, TEMPEST, RegistryUnreachable, prepare
from tests.clients.keystone import Keystone, service_address
from tests.clients.operated import in_the_catalog
from tests.clients.process import Options
from tests.clients.tempest import Outcome, listed, options, run, unexplained

pytestmark = [
    pytest.mark.clients,
    pytest.mark.services,
]

DOCUMENT = CHECKOUT / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def http_image() -> Iterator[str]:
    """The URL of an image that a web server has."""
    url, root = service_address("NGINX_URL"), service_address("NGINX_ROOT")
    if url is None or root is None:
        pytest.skip("nginx is not running; start it with: make services")
    file = Path(root) / "tempest.img"
    file.write_bytes(bytes(range(256)) * 4096)
    yield f"{url}/{file.name}"
    file.unlink()


@pytest.fixture(scope="module")
def outcomes(keystone: Keystone, http_image: str, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What became of all tests of the Image API."""
    try:
        programs = prepare(TEMPEST)
    except RegistryUnreachable as error:
        pytest.skip(f"Tempest cannot be installed: {error}")
    folder, stores = tmp_path_factory.mktemp("tempest"), tmp_path_factory.mktemp("stores")
    with in_the_catalog(keystone, tmp_path_factory.mktemp("glance"), service(http_image, stores)):
        return run(programs, folder, options(keystone, folder, http_image), r"^tempest\.api\.image")


def service(http_image: str, folder: Path) -> Options:
    """What our service has that is off unless it is asked for; its stores are below `folder`.

    Tempest expects the stores of an image in the order of their names.
    """
    address = urlsplit(http_image)
    stores: Options = {
        name: {"filesystem_store_datadir": folder / name, "weight": weight}
        for weight, name in enumerate(("third", "second", "first"))
    }
    return {
        **stores,
        "DEFAULT": {
            "show_multiple_locations": True,
            "enabled_backends": "first:file,second:file,third:file,web:http",
        },
        "glance_store": {"default_backend": "first"},
        "import_filtering_opts": {"allowed_hosts": address.hostname, "allowed_ports": address.port},
        "image_format": {"require_image_format_match": False},
    }


def test_nothing_fails(outcomes: list[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.status not in ("success", "skip")]
    assert not failed, "\n\n".join(f"{one.name}: {one.status}\n{one.reason[-3000:]}" for one in failed)
    assert sum(outcome.status == "success" for outcome in outcomes) > 50


def test_every_skip_is_explained(outcomes: list[Outcome]) -> None:
    assert unexplained(outcomes, listed(DOCUMENT)) == []


def test_no_explanation_is_stale(outcomes: list[Outcome]) -> None:
    skips = [outcome for outcome in outcomes if outcome.status == "skip"]
    stale = [pattern for pattern in listed(DOCUMENT) if len(unexplained(skips, [pattern])) == len(skips)]
    assert stale == []
