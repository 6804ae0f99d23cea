"""Upstream Glance beside ours: installed from PyPI in an environment of its own, run under uWSGI."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.clients.environment import Environment
from tests.clients.process import Command, Options, Running, merged, started, write
from tests.server import free_port

UPSTREAM = Environment(
    "upstream",
    ("glance", "glance_store", "PyMySQL", "psycopg2-binary", "pyuwsgi"),
    Path(__file__).with_name("constraints.txt"),
)


@dataclass(frozen=True)
class Upstream:
    """Upstream's programs in `programs`, configured in `folder`: a file store there, and a database."""

    programs: Path
    folder: Path
    options: Options

    def manage(self, *words: str) -> str:
        """What `glance-manage …` says; it must succeed."""
        command: list[str | Path] = [self.programs / "glance-manage", "--config-file", self._file, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=clean()
        )
        assert done.returncode == 0, f"glance-manage {' '.join(words)} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def running(self) -> Iterator[Running]:
        """The service on a free port, for the length of a block."""
        port = free_port()
        write(self.folder / "glance-api.conf", self.options)
        (self.folder / "uwsgi.ini").write_text(UWSGI.format(port=port))
        environment = {"OS_GLANCE_CONFIG_DIR": str(self.folder), "VIRTUAL_ENV": str(self.programs.parent)}
        words = (self.programs / "uwsgi", "--ini", self.folder / "uwsgi.ini")
        with started(Command(words, self.folder, port, environment)) as server:
            yield server

    @property
    def definitions(self) -> Path:
        """The folder of the standard metadata definitions."""
        return self.programs.parent / "etc" / "glance" / "metadefs"

    @property
    def _file(self) -> Path:
        return self.folder / "glance-api.conf"


def configured(programs: Path, folder: Path, database_url: str, options: Options) -> Upstream:
    """Upstream Glance in a folder, with a database; `options` are added to its configuration."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    etc = programs.parent / "etc" / "glance"
    defaults: Options = {
        "database": {"connection": database_url},
        "glance_store": {
            "stores": "file,http",
            "default_store": "file",
            "filesystem_store_datadir": folder / "images",
        },
        "paste_deploy": {"config_file": etc / "glance-api-paste.ini"},
        "oslo_concurrency": {"lock_path": folder},
        "task": {"work_dir": folder / "work"},
    }
    upstream = Upstream(programs, folder, merged(defaults, options))
    write(folder / "glance-api.conf", upstream.options)
    return upstream


def clean() -> Mapping[str, str]:
    """The environment without the developer's own cloud."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


# What its documentation recommends.
UWSGI = """\
[uwsgi]
module = glance.wsgi.api:application
http-socket = 127.0.0.1:{port}
processes = 1
threads = 4
master = true
lazy-apps = true
enable-threads = true
die-on-term = true
socket-timeout = 60
buffer-size = 65535
http-auto-chunked = true
http-chunked-input = true
http-raw-body = true
add-header = Connection: close
disable-logging = true
"""
