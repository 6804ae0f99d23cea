"""The running Ceph, without the bindings that the tests of its store need."""

from pathlib import Path

import pytest

_ENVIRONMENT = Path(__file__).parents[2] / ".services" / "env"


def running() -> dict[str, str]:
    """What the running servers say of themselves; skips the test where Ceph does not run."""
    lines = _ENVIRONMENT.read_text().splitlines() if _ENVIRONMENT.is_file() else []
    told = dict(line.removeprefix("GLIMPSE_TEST_").split("=", 1) for line in lines if "=" in line)
    if "CEPH_CONF" not in told:
        pytest.skip("Ceph is not running; start it with: make services")
    return told


def options() -> str:
    """The options of a store in the running cluster; skips the test where it or its bindings are missing."""
    pytest.importorskip("rbd", reason="the bindings of Ceph are not installed")
    told = running()
    return (
        f"rbd_store_ceph_conf = {told['CEPH_CONF']}\n"
        f"rbd_store_pool = {told['CEPH_POOL']}\n"
        f"rbd_store_user = {told['CEPH_USER']}\n"
        "rados_connect_timeout = 20\n"
    )
