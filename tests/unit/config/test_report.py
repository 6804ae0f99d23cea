from pathlib import Path

import pytest
from oslo_config import cfg

from glimpse.config import known
from glimpse.config.files import Source
from glimpse.config.options import GROUPS
from glimpse.config.report import Finding, Kind, findings
from glimpse.config.settings import read_config


def report(tmp_path: Path, text: str) -> list[Finding]:
    path = tmp_path / "x.conf"
    path.write_text(text)
    source = Source(files=(str(path),))
    return findings(source, read_config(source))


@pytest.mark.parametrize(
    ("group", "line", "kind"),
    [
        ("DEFAULT", "image_cache_sqlite_db = x", Kind.IGNORED),
        ("DEFAULT", "backlog = 1", Kind.IGNORED),
        ("DEFAULT", "log_config_append = x", Kind.IGNORED),
        ("DEFAULT", "enable_v2_registry = x", Kind.REMOVED),
        ("DEFAULT", "owner_is_tenant = false", Kind.REMOVED),
        ("DEFAULT", "rabbit_userid = x", Kind.REMOVED),
        ("DEFAULT", "sql_connection = x", Kind.REMOVED),
        ("DEFAULT", "filesystem_store_datadir = x", Kind.REMOVED),
        ("DEFAULT", "disk_formats = raw", Kind.DEPRECATED),
        ("DEFAULT", "show_multiple_locations = true", Kind.DEPRECATED),
        ("DEFAULT", "bind_hots = x", Kind.UNKNOWN),
        ("DEFAULT", "log-file = x", Kind.UNKNOWN),
        ("database", "max_pool_size = 1", Kind.IGNORED),
        ("glance_store", "stores = file", Kind.DEPRECATED),
        ("os_glance_staging_store", "filesystem_store_datadir = /x", Kind.IGNORED),
        ("os_glance_tasks_store", "filesystem_store_chunk_size = 1", Kind.IGNORED),
        ("backend_defaults", "filesystem_store_chunk_size = 1", Kind.IGNORED),
        ("glance_store", "s3_store_enable_proxy = x", Kind.REMOVED),
        ("backend_defaults", "filesystem_store_datadirs = x", Kind.DEPRECATED),
        ("backend_defaults", "wait = 1", Kind.UNKNOWN),
        ("oslo_messaging_zmq", "anything = x", Kind.IGNORED),
        ("cors.other", "allowed_origin = x", Kind.IGNORED),
        ("oslo_policy", "enforce_scope = true", Kind.REMOVED),
        ("nowhere", "a = b", Kind.UNKNOWN),
    ],
)
def test_what_is_amiss(tmp_path: Path, group: str, line: str, kind: Kind) -> None:
    [finding] = report(tmp_path, f"[{group}]\n# nothing\n{line}\n")
    assert (finding.kind, finding.entry.line, finding.entry.group) == (kind, 3, group)
    assert str(finding).startswith(f"{tmp_path}/x.conf:3: [{group}] ")


@pytest.mark.parametrize(
    "text",
    [
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 1\nworkers = 0\ndebug = true\nlog_file = x\n",
        "[database]\nconnection = mysql+pymysql://a:b@c/d\n",
        "[keystone_authtoken]\nauth_type = password\nproject_domain_name = Default\n",
        "[oslo_limit]\nendpoint_id = x\n[paste_deploy]\nflavor = keystone\n",
        "[oslo_policy]\npolicy_file = x\n[glimpse]\nauth_strategy = paste\n",
        "[DEFAULT]\nenabled_backends = a:file\n[a]\nfilesystem_store_datadir = /x\n",
        "[DEFAULT]\nenabled_backends = Fast:file\n[Fast]\nweight = 1\nstore_description = x\n",
        "[backend_defaults]\nweight = 1\n[os_glance_tasks_store]\nfilesystem_store_datadir = x\n",
        "[DEFAULT]\nnode_staging_uri = file:///x\n[task]\nwork_dir = x\n",
    ],
)
def test_what_is_in_effect(tmp_path: Path, text: str) -> None:
    assert report(tmp_path, text) == []


def test_what_is_amiss_in_the_section_of_a_store(tmp_path: Path) -> None:
    text = "[DEFAULT]\nenabled_backends = Fast:file\n[Fast]\nfilesystem_store_chunk_size = 5\nweihgt = 1\n"
    ignored, unknown = report(tmp_path, text)
    assert (ignored.kind, ignored.entry.group) == (Kind.IGNORED, "fast")
    assert (unknown.kind, unknown.reason) == (Kind.UNKNOWN, "did you mean weight?")


def test_typing_errors_get_a_hint(tmp_path: Path) -> None:
    [finding] = report(tmp_path, "[DEFAULT]\nbind_hots = x\n")
    assert "did you mean bind_host?" in str(finding)


def test_every_file_is_looked_at(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.conf").write_text("[DEFAULT]\nx1 = 1\n")
    (tmp_path / "c.conf").write_text("[DEFAULT]\nx2 = 1\n")
    source = Source(files=(f"{tmp_path}/c.conf",), dirs=(str(tmp_path),))
    found = findings(source, read_config(source))
    assert [Path(each.entry.file).name for each in found] == ["c.conf", "a.conf", "b.conf", "c.conf"]


def test_what_is_used_is_not_called_ignored() -> None:
    used = {(group, option.dest) for group, options in GROUPS.items() for option in options}
    without_effect = {
        (group, name)
        for table in (known.IGNORED, known.REMOVED)
        for group, names in table.items()
        for name in names
    }
    assert used & without_effect == set()
    assert {group for group, _ in used} & set(known.IGNORED_GROUPS) == set()
    deprecated = {(group, name) for group, names in known.DEPRECATED.items() for name in names}
    assert deprecated <= used


def test_moved_options_work_under_the_old_name(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("[DEFAULT]\ndisk_formats = raw\n")
    config: cfg.ConfigOpts = read_config([str(path)])
    assert config.image_format.disk_formats == ["raw"]
