"""`glance-control` with real servers."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from glimpse.cli.glance_control import glance_control
from tests.server import START_SECONDS, free_port

BIN = Path(sys.executable).parent


@dataclass
class Host:
    """A folder with configurations and PID files."""

    folder: Path
    port: int = field(default_factory=free_port)
    errors: str = ""

    @property
    def pid_file(self) -> Path:
        return self.folder / "api.pid"

    @property
    def config(self) -> Path:
        return self.folder / "glance-api.conf"

    def __post_init__(self) -> None:
        self.config.write_text(
            f"[DEFAULT]\nbind_port = {self.port}\nlog_file = {self.folder}/api.log\n"
            f"[glimpse]\nauth_strategy = noauth\nstate_dir = {self.folder}/state\n"
        )

    def command(self, *words: str) -> list[str]:
        return [str(BIN / "glance-control"), "--pid-file", str(self.pid_file), *words]

    def control(self, *words: str) -> tuple[int, str]:
        """Run it to its end: its exit status, and what it said."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=120, env=self.environment
        )
        self.errors = done.stderr
        return done.returncode, done.stdout

    @contextmanager
    def supervising(self) -> Iterator[subprocess.Popen[str]]:
        """`glance-control --respawn` over a server."""
        command = self.command("--respawn", "api", "start", str(self.config))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.environment)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def answers(self) -> bool:
        with suppress(httpx.TransportError):
            url = f"http://127.0.0.1:{self.port}/healthcheck"
            return httpx.get(url, trust_env=False).status_code == 200
        return False

    def wait(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 4 * START_SECONDS
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def clean(self) -> None:
        """Kill what still runs."""
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if f"GLANCE_CONTROL_PID_FILE={self.pid_file}".encode() in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.clean()


def workers(pid: int) -> set[int]:
    """The child processes of a process."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        # It may have ended since.
        with suppress(OSError):
            if path.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.add(int(path.parent.name))
    return found


def test_a_server_is_started_reloaded_and_stopped(host: Host) -> None:
    assert host.control("api", "status") == (3, "glance-api is stopped\n")
    started = host.control("api", "start", str(host.config))
    assert started == (0, f"Starting glance-api with {host.config}\n")
    pid = host.pid()
    host.wait(host.answers)
    assert host.control("glance-api", "status") == (0, f"glance-api (pid {pid}) is running...\n")
    assert host.control("api", "start", str(host.config)) == (
        0,
        f"glance-api appears to already be running: {host.pid_file}\n",
    )
    old = workers(pid)
    assert host.control("api", "reload") == (0, f"Reloading glance-api (pid {pid}) with signal(1)\n")
    host.wait(lambda: len(workers(pid) - old) > 0)
    assert host.pid() == pid
    code, said = host.control("api", "restart", str(host.config))
    assert code == 0
    assert said.splitlines() == [
        f"Stopping glance-api (pid {pid}) with signal(15)",
        f"Restarting glance-api with {host.config}",
    ]
    assert host.pid() != pid
    host.wait(host.answers)
    assert host.control("api", "shutdown")[0] == 0
    assert not host.answers()
    assert not host.pid_file.exists()
    assert host.control("api", "stop") == (0, "glance-api is already stopped\n")
    assert host.control("api", "reload")[0] == 1


def test_a_process_that_it_did_not_start_is_left_alone(host: Host) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        host.pid_file.write_text(f"{stranger.pid}\n")
        assert host.control("api", "stop") == (1, "")
        assert "is left" in host.errors
        assert host.control("api", "status")[0] == 1
        assert host.control("api", "reload")[0] == 1
        assert host.pid() == stranger.pid
        assert stranger.poll() is None
        stranger.kill()


def test_a_stale_file_is_removed(host: Host) -> None:
    with subprocess.Popen(["sleep", "0"]) as dead:
        dead.wait()
    host.pid_file.write_text(f"{dead.pid}\n")
    assert host.control("api", "status") == (1, f"glance-api is dead, but {host.pid_file} is there\n")
    assert host.control("api", "stop") == (0, "glance-api is already stopped\n")
    assert not host.pid_file.exists()


def test_a_server_that_cannot_start_tells_its_exit_status(host: Host) -> None:
    host.config.write_text("[DEFAULT]\nbind_port = many\n")
    assert host.control("--await-child", "60", "api", "start", str(host.config))[0] == 1
    assert "glance-api has ended with the status 1" in host.errors
    assert not host.pid_file.exists()


def test_a_server_that_dies_is_started_again_until_it_is_stopped(host: Host) -> None:
    with host.supervising() as supervisor:
        host.wait(host.answers)
        first = host.pid()
        os.kill(first, signal.SIGKILL)
        host.wait(lambda: host.pid_file.exists() and host.pid_file.read_text() not in ("", f"{first}\n"))
        # The worker of the old one has ended with it.
        host.wait(lambda: len(workers(host.pid())) > 0 and host.answers())
        assert host.control("api", "stop")[0] == 0
        said, _ = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 0
    assert f"Respawning glance-api with {host.config}" in said
    assert said.endswith("glance-api was stopped: it is not started again\n")
    assert not host.answers()


def test_a_server_that_cannot_live_is_given_up(host: Host) -> None:
    host.config.write_text("[DEFAULT]\nbind_port = many\n")
    code, said = host.control("--respawn", "api", "start", str(host.config))
    assert code == 1
    assert said.count("Respawning glance-api") == 2
    assert "dies again and again" in host.errors
    assert not host.pid_file.exists()


@pytest.mark.skipif(os.geteuid() != 0 or Path("/dev/log").exists(), reason="/dev/log is not this test's")
def test_what_a_server_prints_goes_to_syslog(host: Host) -> None:
    host.config.write_text("[DEFAULT]\nbind_port = many\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind("/dev/log")
        try:
            syslog.settimeout(60)
            assert host.control("--capture-output", "api", "start", str(host.config))[0] == 0
            line = syslog.recv(4096).decode()
        finally:
            Path("/dev/log").unlink()
    assert re.search(r"glance-api: ERROR: Invalid .*many", line)


def test_a_supervisor_that_is_ended_ends_its_server(host: Host) -> None:
    with host.supervising() as supervisor:
        host.wait(host.answers)
        supervisor.terminate()
        supervisor.communicate(timeout=60)
    assert supervisor.returncode == 0
    assert not host.answers()
    assert not host.pid_file.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--await-child", "1", "--respawn", "api", "start"), "exclude each other"),
        (("all", "start"), "one server has one PID file"),
        (("api", "start", "nowhere.conf"), "nowhere.conf is no file"),
        (("scrubber", "reload"), "Reload of glance-scrubber is not supported"),
    ],
)
def test_what_cannot_be_asked(host: Host, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(glance_control, ["--pid-file", str(host.pid_file), *words])
    assert done.exit_code == 1
    assert said in str(done.exception)
