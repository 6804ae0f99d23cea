import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from oslo_config import cfg

from glimpse.catalog.catalog import Limits
from glimpse.config.backends.files import FileBackend
from glimpse.config.backends.http import HttpBackend
from glimpse.config.files import Source
from glimpse.config.options import GROUPS, register
from glimpse.config.places import StorePlace
from glimpse.config.settings import default_state_dir, read_config, read_quota, read_settings, settings_of
from glimpse.domain.attributes import CONTAINER_FORMATS, DISK_FORMATS
from glimpse.domain.errors import Invalid
from glimpse.domain.url_rules import Choice, Rules
from glimpse.stores.folders import Folder

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.conf"
        path.write_text(text)
        return str(path)

    return make


def test_defaults(tmp_path: Path) -> None:
    settings = read_settings(state_dir=tmp_path)
    assert (settings.bind_host, settings.bind_port, settings.workers) == ("127.0.0.1", 9292, 1)
    assert settings.base_url == "http://127.0.0.1:9292"
    assert (settings.cert_file, settings.key_file, settings.public_endpoint) == (None, None, None)
    assert settings.state_dir == tmp_path
    assert settings.database_url == f"sqlite:///{tmp_path}/glimpse.db"
    assert settings.stores == (
        StorePlace("file", "file", FileBackend((Folder(tmp_path / "images"),))),
        StorePlace("http", "http", HttpBackend(settings.url_rules), read_only=True),
    )
    assert (settings.default_store, settings.several_stores) == ("file", False)
    assert settings.scratch_folder == tmp_path / "scratch"
    assert settings.htpasswd == tmp_path / "htpasswd"
    assert (settings.auth_strategy, settings.allow_noauth_on_network) == ("http_basic", False)
    assert settings.limits == Limits(
        image_size_cap=2**40,
        user_storage_quota=None,
        image_property_quota=128,
        image_tag_quota=128,
        image_member_quota=128,
        image_location_quota=10,
        limit_param_default=25,
        api_limit_max=1000,
    )
    assert (settings.disk_formats, settings.container_formats) == (DISK_FORMATS, CONTAINER_FORMATS)
    assert (settings.require_format_match, settings.logs.debug) == (True, False)
    assert (settings.hashing_algorithm, settings.lease_seconds) == ("sha512", 10.0)
    assert settings.run_jobs
    assert settings.source == Source(overrides=(("glimpse", "state_dir", str(tmp_path)),))
    assert (settings.logs.file, settings.logs.to_stderr) == (None, True)


def test_files_override(write: Write, tmp_path: Path) -> None:
    path = write(
        "[DEFAULT]\nbind_host = 10.0.0.1\nbind_port = 80\nworkers = 4\nhashing_algorithm = sha256\n"
        "user_storage_quota = 2GB\nimage_tag_quota = -1\nlimit_param_default = 5\napi_limit_max = 7\n"
        "public_endpoint = https://cloud.example\ncert_file = c\nkey_file = k\n"
        "[database]\nconnection = postgresql://db/x\n"
        "[glance_store]\nfilesystem_store_datadir = /data\nfilesystem_thin_provisioning = false\n"
        "[image_format]\ndisk_formats = raw,qcow2\nrequire_image_format_match = false\n"
        "[glimpse]\nlease_seconds = 3.5\nrun_jobs = false\nhttp_basic_auth_user_file = /people\n"
    )
    settings = read_settings([path], state_dir=tmp_path)
    assert settings.base_url == "https://10.0.0.1:80"
    assert (settings.workers, settings.hashing_algorithm) == (4, "sha256")
    assert (settings.limits.user_storage_quota, settings.limits.image_tag_quota) == (2 * 2**30, -1)
    assert (settings.limits.limit_param_default, settings.limits.api_limit_max) == (5, 7)
    assert settings.database_url == "postgresql://db/x"
    assert settings.stores[0].backend == FileBackend((Folder(Path("/data")),), thin=False)
    assert settings.htpasswd == Path("/people")
    assert (settings.disk_formats, settings.container_formats) == (("raw", "qcow2"), CONTAINER_FORMATS)
    assert (settings.require_format_match, settings.lease_seconds) == (False, 3.5)
    assert not settings.run_jobs
    assert settings.source.files == (path,)


def test_later_files_win(write: Write, tmp_path: Path) -> None:
    first, second = write("[DEFAULT]\nworkers = 2\nbind_port = 1\n"), write("[DEFAULT]\nworkers = 3\n")
    settings = read_settings([first, second], state_dir=tmp_path)
    assert (settings.workers, settings.bind_port) == (3, 1)


def test_what_is_said_by_name_wins(write: Write, tmp_path: Path) -> None:
    path = write("[DEFAULT]\nbind_host = 10.0.0.1\nbind_port = 80\n[glimpse]\nstate_dir = /nowhere\n")
    settings = read_settings([path], state_dir=tmp_path, bind_host="127.0.0.2", bind_port=0)
    assert (settings.bind_host, settings.bind_port, settings.state_dir) == ("127.0.0.2", 0, tmp_path)
    assert read_settings([path]).state_dir == Path("/nowhere")


def test_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_STATE_DIR", "/a")
    monkeypatch.setenv("XDG_DATA_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert default_state_dir() == Path("/a")
    assert read_settings().state_dir == Path("/a")
    monkeypatch.delenv("GLIMPSE_STATE_DIR")
    assert default_state_dir() == Path("/b/glimpse")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_state_dir() == Path("/c/.local/share/glimpse")


def test_a_relative_state_folder_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(state_dir=Path("state")).state_dir == tmp_path / "state"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", None),
        ("0GB", None),
        ("5", 5),
        ("5B", 5),
        ("1KB", 2**10),
        ("3MB", 3 * 2**20),
        ("10GB", 10 * 2**30),
        ("2TB", 2 * 2**40),
    ],
)
def test_quotas(text: str, amount: int | None) -> None:
    assert read_quota(text) == amount


BAD = [
    ("DEFAULT", "bind_port", "x"),
    ("DEFAULT", "bind_port", "70000"),
    ("DEFAULT", "bind_host", "not a host"),
    ("DEFAULT", "workers", "-1"),
    ("DEFAULT", "workers", "many"),
    ("DEFAULT", "user_storage_quota", "10 GB"),
    ("DEFAULT", "user_storage_quota", "10PB"),
    ("DEFAULT", "user_storage_quota", "-1"),
    ("DEFAULT", "user_storage_quota", "GB"),
    ("DEFAULT", "user_storage_quota", "10K"),
    ("DEFAULT", "image_size_cap", "0"),
    ("DEFAULT", "api_limit_max", "0"),
    ("DEFAULT", "limit_param_default", "0"),
    ("DEFAULT", "hashing_algorithm", "rot13"),
    ("DEFAULT", "hashing_algorithm", "shake_128"),
    ("DEFAULT", "debug", "maybe"),
    ("DEFAULT", "cert_file", "/alone"),
    ("DEFAULT", "key_file", "/alone"),
    ("image_format", "require_image_format_match", "sometimes"),
    ("glance_store", "filesystem_store_file_perm", "888"),
    ("glance_store", "filesystem_store_file_perm", "077"),
    ("glance_store", "filesystem_store_file_perm", "4644"),
    ("glance_store", "stores", "file,floppy"),
    ("glance_store", "default_store", "http"),
    ("DEFAULT", "enabled_backends", "a"),
    ("DEFAULT", "enabled_backends", "a:rbd"),
    ("DEFAULT", "enabled_backends", "a:file,b:http,c:http"),
    ("DEFAULT", "enabled_backends", "a:file,a:file"),
    ("DEFAULT", "enabled_backends", "Database:file"),
    ("DEFAULT", "enabled_backends", "glance_store:file"),
    ("DEFAULT", "enabled_backends", "OS_GLANCE_x:file"),
    ("DEFAULT", "node_staging_uri", "/a"),
    ("DEFAULT", "node_staging_uri", "file://a/b"),
    ("DEFAULT", "node_staging_uri", "http://a/b"),
    ("backend_defaults", "weight", "heavy"),
    ("DEFAULT", "enabled_backends", "os_glance_staging_store:file"),
    ("DEFAULT", "property_protection_rule_format", "none"),
    ("glimpse", "auth_strategy", "magic"),
    ("glimpse", "lease_seconds", "0.5"),
    ("glimpse", "lease_seconds", "soon"),
]


@pytest.mark.parametrize(("group", "name", "value"), BAD)
def test_bad_values_name_the_option(write: Write, group: str, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        read_settings([write(f"[{group}]\n{name} = {value}\n")])


def test_bad_values_name_the_place(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write("[DEFAULT]\nworkers = 2\n"), write("[DEFAULT]\n\nworkers = many\n")
    with pytest.raises(Invalid, match=re.escape(f"{second}:3: ")) as refused:
        read_settings([first, second])
    assert "LocationInfo" not in str(refused.value)
    monkeypatch.setenv("OS_DEFAULT__WORKERS", "more")
    with pytest.raises(Invalid, match="OS_DEFAULT__WORKERS: "):
        read_settings([first, second])


def test_the_environment_wins_over_files_but_not_over_the_command_line(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("[DEFAULT]\nbind_port = 1\nworkers = 2\n")
    monkeypatch.setenv("OS_DEFAULT__BIND_PORT", "3")
    monkeypatch.setenv("OS_DEFAULT__WORKERS", "4")
    monkeypatch.setenv("OS_IMAGE_FORMAT__DISK_FORMATS", "raw")
    settings = read_settings([path], bind_port=5)
    assert (settings.bind_port, settings.workers, settings.disk_formats) == (5, 4, ("raw",))


def test_no_workers_are_one() -> None:
    assert settings_of(Source(overrides=(("DEFAULT", "workers", 0),))).workers == 1


def test_permissions_are_written_as_for_chmod(write: Write) -> None:
    modes = {"640": 0o640, "0644": 0o644, "0": 0, "-1": 0, "400": 0o400, "777": 0o777}
    for written, mode in modes.items():
        path = write(f"[glance_store]\nfilesystem_store_file_perm = {written}\n")
        backend = read_settings([path]).stores[0].backend
        assert isinstance(backend, FileBackend)
        assert backend.file_mode == mode


@pytest.mark.parametrize(
    ("stores", "names"),
    [("file,http", ["file", "http"]), ("file", ["file"]), ("https,filesystem", ["http", "file"])],
)
def test_stores(write: Write, stores: str, names: list[str]) -> None:
    settings = read_settings([write(f"[glance_store]\nstores = {stores}\n")])
    assert [store.id for store in settings.stores] == names
    assert settings.default_store == "file"


def test_rules_for_urls(write: Write) -> None:
    rules = read_settings(
        [write("[import_filtering_opts]\nallowed_ports =\ndisallowed_hosts = a, b\n")]
    ).url_rules
    assert rules == Rules(ports=Choice(), hosts=Choice(disallowed=frozenset({"a", "b"})))


@pytest.mark.parametrize(
    ("program", "text", "strategy"),
    [
        ("glimpse", "", "http_basic"),
        ("glimpse", "[paste_deploy]\nflavor = keystone\n", "paste"),
        ("glimpse", "[paste_deploy]\nflavor = keystone\n[glimpse]\nauth_strategy = noauth\n", "noauth"),
        ("glance-api", "", "paste"),
        ("glance-api", "[paste_deploy]\nflavor = keystone\n", "paste"),
        ("glance-api", "[glimpse]\nauth_strategy = http_basic\n", "http_basic"),
    ],
)
def test_how_callers_are_known(write: Write, program: str, text: str, strategy: str) -> None:
    assert settings_of(Source(program, (write(text),))).auth_strategy == strategy


def test_glance_keeps_its_state_where_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_STATE_DIR", "/a")
    settings = settings_of(Source("glance-api"))
    assert settings.state_dir == Path("/var/lib/glance")
    assert settings.image_folders == ((Path("/var/lib/glance/images"),),)


@pytest.mark.parametrize(
    ("text", "file", "stderr"),
    [
        ("log_file = /a/b.log\n", "/a/b.log", False),
        ("log_file = b.log\nlog_dir = /a\n", "/a/b.log", False),
        ("log_dir = /a\n", "/a/glance-api.log", False),
        ("log_file = /a/b.log\nuse_stderr = true\n", "/a/b.log", True),
    ],
)
def test_where_logs_go(write: Write, text: str, file: str, stderr: bool) -> None:
    settings = settings_of(Source("glance-api", (write(f"[DEFAULT]\n{text}"),)))
    assert (settings.logs.file, settings.logs.to_stderr) == (Path(file), stderr)


def test_settings_can_be_handed_to_another_process(write: Write) -> None:
    settings = read_settings([write("[DEFAULT]\nworkers = 2\n")])
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("text", ["no section\n", "[DEFAULT\n", "[DEFAULT]\nno equals sign\n"])
def test_files_that_are_no_configuration(write: Write, text: str) -> None:
    path = write(text)
    with pytest.raises(Invalid, match=path):
        read_settings([path])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.conf", tmp_path):
        with pytest.raises(Invalid):
            read_settings([str(path)])


def test_options_that_are_unknown_are_no_error(write: Write) -> None:
    read_settings([write("[DEFAULT]\nimage_cache_dir = /x\n[paste_deploy]\nflavor = keystone\n")])


NOAUTH = "[glimpse]\nauth_strategy = noauth\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "127.0.0.1.example.org", "example.org"])
def test_noauth_stays_on_this_machine(write: Write, host: str) -> None:
    path = write(NOAUTH)
    with pytest.raises(Invalid) as refused:
        read_settings([path], bind_host=host)
    assert refused.value.field == "auth_strategy"
    assert "allow_noauth_on_network" in str(refused.value)
    forced = write(NOAUTH + "allow_noauth_on_network = true\n")
    assert read_settings([forced], bind_host=host).bind_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "::1", "localhost"])
def test_noauth_on_this_machine(write: Write, host: str) -> None:
    assert read_settings([write(NOAUTH)], bind_host=host).auth_strategy == "noauth"


def test_names_and_passwords_may_leave_this_machine() -> None:
    assert read_settings(bind_host="0.0.0.0").base_url == "http://0.0.0.0:9292"


def test_addresses_of_the_new_kind() -> None:
    assert read_settings(bind_host="::1").base_url == "http://[::1]:9292"


OPTIONS = [(group, option) for group, options in GROUPS.items() for option in options]


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda value: getattr(value, "name", value))
def test_every_option_says_what_it_is(group: str, option: cfg.Opt) -> None:
    assert option.help
    assert option.help.endswith(".")


def test_options_are_known_by_one_name() -> None:
    names = [(group, option.name) for group, option in OPTIONS]
    assert len(set(names)) == len(names)


def test_every_option_is_in_the_groups() -> None:
    config = cfg.ConfigOpts()
    register(config)
    config(args=[], default_config_files=[], default_config_dirs=[])
    registered = {
        (group, name)
        for group in config
        if isinstance(config[group], cfg.ConfigOpts.GroupAttr)
        for name in config[group]
    } | {("DEFAULT", name) for name in config if not isinstance(config[name], cfg.ConfigOpts.GroupAttr)}
    ours = {(group, option.dest) for group, option in OPTIONS}
    built_in = {"config_file", "config_dir", "config_source", "shell_completion"}
    assert registered - {("DEFAULT", name) for name in built_in} == ours


def test_secrets_are_marked() -> None:
    assert {option.name for _, option in OPTIONS if option.secret} == {
        "connection",
        "metadata_encryption_key",
        "registry_secret",
        "token",
        "sourcetoken",
        "targettoken",
        "transport_url",
        "s3_store_access_key",
        "s3_store_secret_key",
        "swift_store_application_credential_id",
        "swift_store_application_credential_secret",
        "swift_store_key",
        "swift_store_user",
        "vmware_server_password",
        "mongodb_store_uri",
        "cinder_store_password",
        "cinder_store_application_credential_secret",
    }


def test_no_file_is_read_that_nobody_named() -> None:
    assert read_config([]).config_file == []
