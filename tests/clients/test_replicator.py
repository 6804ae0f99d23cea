"""`glance-replicator` from a service behind Keystone into one that knows nobody."""

from pathlib import Path

import pytest

from tests.clients.keystone import PASSWORD, Keystone
from tests.clients.process import Options, behind, glance_api, merged
from tests.commands.replicating import OPEN, add, data_of, replicate, show
from tests.server import free_port, running

pytestmark = pytest.mark.clients


def test_an_administrator_copies_the_images_of_all(keystone: Keystone, tmp_path: Path) -> None:
    database: Options = {"database": {"connection": f"sqlite:///{tmp_path / 'glance.db'}"}}
    groups = merged(behind(keystone.url), database)
    with (
        glance_api(tmp_path / "source", free_port(), groups, [["db_sync"]]) as source,
        running(tmp_path / "target", OPEN) as target,
    ):
        token = {"X-Auth-Token": keystone.token("demo", "demo")}
        image = add(source, b"demo's data", headers=token, name="one")
        account = {
            "OS_AUTH_URL": keystone.url,
            "OS_USERNAME": "admin",
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": "admin",
        }
        code, _, log = replicate(tmp_path, "livecopy", source.url, target.url, **account)
        assert code == 0, log
        copied = show(target, image["id"])
        assert (copied["owner"], copied["name"]) == (keystone.project_id("demo"), "one")
        assert data_of(target, image["id"]) == b"demo's data"

        code, output, _ = replicate(tmp_path, "size", source.url, "-M", token["X-Auth-Token"])
        assert (code, output) == (0, "Total size is 11 bytes (11.0 B) across 1 images\n")
        code, _, log = replicate(tmp_path, "size", source.url, **{**account, "OS_PASSWORD": "wrong"})
        assert (code, log) == (1, "ERROR: The identity service does not accept the credentials.\n")
        code, _, log = replicate(tmp_path, "size", source.url)
        assert (code, log) == (1, "ERROR: The image service does not accept the credentials.\n")
