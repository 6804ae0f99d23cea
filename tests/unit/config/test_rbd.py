from pathlib import Path

import pytest
from oslo_config import cfg

from glimpse.config.backends.rbd import KIND, RbdBackend
from glimpse.domain.errors import Invalid


def read(tmp_path: Path, *lines: str) -> RbdBackend:
    file = tmp_path / "glance.conf"
    file.write_text("\n".join(["[ceph]", *lines]))
    config = cfg.ConfigOpts()
    config.register_opts(KIND.options, "ceph")
    config(["--config-file", str(file)])
    backend = KIND.read(config.ceph, config, tmp_path)
    assert isinstance(backend, RbdBackend)
    return backend


def test_defaults(tmp_path: Path) -> None:
    assert read(tmp_path) == RbdBackend("images", "admin", "", 0, 23, True)


def test_all_options(tmp_path: Path) -> None:
    backend = read(
        tmp_path,
        "rbd_store_chunk_size = 4",
        "rbd_store_pool = glance",
        "rbd_store_user = client.glance",
        "rbd_store_ceph_conf = /etc/ceph/far.conf",
        "rados_connect_timeout = 7",
        "rbd_thin_provisioning = false",
    )
    assert backend == RbdBackend("glance", "glance", "/etc/ceph/far.conf", 7, 22, False)
    assert backend.properties()["chunk_size"] == 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("rbd_store_chunk_size = 0", "rbd_store_chunk_size"),
        ("rbd_store_chunk_size = 6", "rbd_store_chunk_size"),
        ("rbd_store_chunk_size = 64", "rbd_store_chunk_size"),
        ("rbd_store_pool =", "rbd_store_pool"),
    ],
)
def test_bad_values(tmp_path: Path, line: str, option: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(tmp_path, line)
    assert caught.value.field == option
