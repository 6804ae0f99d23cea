"""Tempest's image tests. Nothing fails, and `docs/conformance.md` explains each test that is skipped."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.environment import CHECKOUT, TEMPEST, RegistryUnreachable, prepare
from tests.clients.keystone import Keystone, service_address
from tests.clients.operated import in_the_catalog
from tests.clients.process import Options, merged
from tests.clients.tempest import Outcome, listed, options, run, together, unexplained
from tests.server import free_port

pytestmark = [
    pytest.mark.clients,
    pytest.mark.services,
]

DOCUMENT = CHECKOUT / "docs" / "conformance.md"


# What needs several stores.
SEVERAL = r"^tempest\.api\.image.*(MultiStores|ImportCopyImages|StoreWeight|ImportImagesNegative)"


@pytest.fixture(scope="module")
def http_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URLs of two images that a web server has; the second is a QCOW2."""
    url, root = service_address("NGINX_URL"), service_address("NGINX_ROOT")
    if url is None or root is None:
        pytest.skip("nginx is not running; start it with: make services")
    raw, qcow2 = Path(root) / "tempest.img", Path(root) / "tempest.qcow2"
    raw.write_bytes(bytes(range(256)) * 4096)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow2], check=True)
    yield f"{url}/{raw.name}", f"{url}/{qcow2.name}"
    for file in (raw, qcow2):
        file.unlink()


@pytest.fixture(scope="module")
def outcomes(
    keystone: Keystone, http_images: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> list[Outcome]:
    """What became of all tests of the Image API, with one store and, where they need them, with several."""
    try:
        programs = prepare(TEMPEST)
    except RegistryUnreachable as error:
        pytest.skip(f"Tempest cannot be installed: {error}")

    port = free_port()

    def tempest(regex: str, service: Options) -> list[Outcome]:
        folder = tmp_path_factory.mktemp("tempest")
        caching: Options = {
            "DEFAULT": {"image_cache_dir": folder / "image-cache"},
            "paste_deploy": {"flavor": "keystone+caching"},
        }
        with in_the_catalog(keystone, tmp_path_factory.mktemp("glance"), merged(service, caching), port):
            return run(programs, folder, options(keystone, folder, *http_images), regex)

    one = service(http_images[0], port)
    several = merged(one, stores(tmp_path_factory.mktemp("stores")))
    return together(tempest(r"^tempest\.api\.image", one), tempest(SEVERAL, several))


def service(http_image: str, own_port: int) -> Options:
    """What our service has that is off unless it is asked for. It may be asked for images itself."""
    web = urlsplit(http_image)
    methods = "[glance-direct, web-download, copy-image, glance-download]"
    return {
        "DEFAULT": {"show_multiple_locations": True, "enabled_import_methods": methods},
        "import_filtering_opts": {
            "allowed_hosts": web.hostname,
            "allowed_ports": f"{web.port},{own_port}",
        },
        "image_format": {"require_image_format_match": False},
    }


def stores(folder: Path) -> Options:
    """Several stores below `folder`. Tempest expects those of an image in the order of their names."""
    return {
        **{
            name: {"filesystem_store_datadir": folder / name, "weight": weight}
            for weight, name in enumerate(("third", "second", "first"))
        },
        "DEFAULT": {"enabled_backends": "first:file,second:file,third:file,web:http"},
        "glance_store": {"default_backend": "first"},
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
