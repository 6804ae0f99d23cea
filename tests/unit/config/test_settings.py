from collections.abc import Callable
from pathlib import Path

import pytest
from oslo_config import cfg

from glimpse.catalog.catalog import Limits
from glimpse.config.options import GROUPS, register
from glimpse.config.settings import default_state_dir, read_config, read_quota, read_settings
from glimpse.domain.attributes import CONTAINER_FORMATS, DISK_FORMATS
from glimpse.domain.errors import Invalid

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
    assert settings.image_folder == tmp_path / "images"
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
    assert (settings.require_format_match, settings.thin, settings.debug) == (True, True, False)
    assert (settings.hashing_algorithm, settings.lease_seconds) == ("sha512", 10.0)
    assert settings.config_files == ()


def test_files_override(write: Write, tmp_path: Path) -> None:
    path = write(
        "[DEFAULT]\nbind_host = 10.0.0.1\nbind_port = 80\nworkers = 4\nhashing_algorithm = sha256\n"
        "user_storage_quota = 2GB\nimage_tag_quota = -1\nlimit_param_default = 5\napi_limit_max = 7\n"
        "public_endpoint = https://cloud.example\ncert_file = c\nkey_file = k\n"
        "[database]\nconnection = postgresql://db/x\n"
        "[glance_store]\nfilesystem_store_datadir = /data\nfilesystem_thin_provisioning = false\n"
        "[image_format]\ndisk_formats = raw,qcow2\nrequire_image_format_match = false\n"
        "[glimpse]\nlease_seconds = 3.5\nhttp_basic_auth_user_file = /people\n"
    )
    settings = read_settings([path], state_dir=tmp_path)
    assert settings.base_url == "https://10.0.0.1:80"
    assert (settings.workers, settings.hashing_algorithm) == (4, "sha256")
    assert (settings.limits.user_storage_quota, settings.limits.image_tag_quota) == (2 * 2**30, -1)
    assert (settings.limits.limit_param_default, settings.limits.api_limit_max) == (5, 7)
    assert settings.database_url == "postgresql://db/x"
    assert (settings.image_folder, settings.htpasswd) == (Path("/data"), Path("/people"))
    assert (settings.disk_formats, settings.container_formats) == (("raw", "qcow2"), CONTAINER_FORMATS)
    assert (settings.thin, settings.require_format_match, settings.lease_seconds) == (False, False, 3.5)
    assert settings.config_files == (path,)


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
    ("DEFAULT", "workers", "0"),
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
    ("glimpse", "auth_strategy", "magic"),
    ("glimpse", "lease_seconds", "0.5"),
    ("glimpse", "lease_seconds", "soon"),
]


@pytest.mark.parametrize(("group", "name", "value"), BAD)
def test_bad_values_name_the_option(write: Write, group: str, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        read_settings([write(f"[{group}]\n{name} = {value}\n")])


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
    assert {(group, name) for group, name in registered if name not in built_in} == ours


def test_secrets_are_marked() -> None:
    assert {option.name for _, option in OPTIONS if option.secret} == {"connection"}


def test_no_file_is_read_that_nobody_named() -> None:
    assert read_config([]).config_file == []
