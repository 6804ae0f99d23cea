"""A service that a test starts as its operator does: a command, a log, a URL that answers."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0

Options = Mapping[str, Mapping[str, object]]


@dataclass
class Running:
    """A service that answers at `url`. Its configuration, its log and its data rest in `folder`."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def images(self) -> Path:
        """Where its file store keeps the data."""
        return self.folder / "images"

    def log(self) -> str:
        """What it has written."""
        return (self.folder / "log").read_text(errors="replace")

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client with a token."""
        headers = {"X-Auth-Token": token} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


@dataclass(frozen=True)
class Command:
    """What to start, in which folder, and where it will listen."""

    words: Sequence[str | Path]
    folder: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def started(command: Command) -> Iterator[Running]:
    """The service, for the length of a block. :raises AssertionError: it does not answer."""
    with (command.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **command.environment},
            start_new_session=True,
        )
    running = Running(f"http://127.0.0.1:{command.port}", command.folder, process)
    try:
        _wait(running)
        yield running
    finally:
        _end(process)


def _wait(running: Running) -> None:
    deadline = time.monotonic() + START_SECONDS
    with running.client() as client:
        while time.monotonic() < deadline and running.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/healthcheck").status_code == 200:
                    return
            time.sleep(0.05)
    raise AssertionError(f"{running.process.args!r} did not start:\n{running.log()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(f"{process.args!r} did not end within {STOP_SECONDS} seconds") from None


def merged(*groups: Options) -> dict[str, dict[str, object]]:
    """Options, of which later ones go before earlier ones."""
    names = dict.fromkeys(name for options in groups for name in options)
    return {name: {k: v for options in groups for k, v in options.get(name, {}).items()} for name in names}


def write(file: Path, options: Options) -> None:
    """A configuration file."""
    file.write_text(as_text(options))


def as_text(options: Options) -> str:
    """What a configuration file says."""
    lines = (
        line
        for group, values in options.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in values.items()))
    )
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def glance_api(
    folder: Path, port: int, options: Options, manage: Iterable[Sequence[str]] = ()
) -> Iterator[Running]:
    """Our `glance-api` with a configuration file of these groups, and a file store in `folder`.

    Before it starts, `glance-manage` is called with each of the words of `manage`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "glance-api.conf"
    defaults: Options = {
        "DEFAULT": {"bind_host": "127.0.0.1", "bind_port": port, "workers": 1},
        "glance_store": {
            "stores": "file,http",
            "default_store": "file",
            "filesystem_store_datadir": folder / "images",
        },
        "glimpse": {"state_dir": folder / "state"},
    }
    (folder / "images").mkdir(exist_ok=True)
    write(file, merged(defaults, options))
    programs = CHECKOUT / ".venv" / "bin"
    for asked in manage:
        subprocess.run([programs / "glance-manage", "--config-file", file, *asked], check=True)
    words = (programs / "glance-api", "--config-file", file)
    with started(Command(words, folder, port)) as running:
        yield running


def behind(keystone_url: str) -> Options:
    """The groups that put a service behind Keystone."""
    return {
        "keystone_authtoken": {
            "www_authenticate_uri": keystone_url,
            "auth_url": keystone_url,
            "auth_type": "password",
            "username": "glance",
            "password": "secret",
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        "paste_deploy": {"flavor": "keystone"},
    }
