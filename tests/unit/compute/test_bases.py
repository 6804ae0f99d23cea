import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.compute.bases import Bases
from glimpse.compute.checks import Damaged
from glimpse.compute.signatures import Seal, Signatures
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, NotFound, SignatureInvalid, Unavailable
from glimpse.signing.folder import CertificateFolder
from tests.keys import signer
from tests.unit.compute.making import image_of

DATA = b"some disk" * 1000
IMAGE = image_of(DATA)


def fetching(log: Path, data: bytes = DATA) -> Callable[[Path], None]:
    def fetch(path: Path) -> None:
        with log.open("ab") as file:
            file.write(b".")
        path.write_bytes(data)

    return fetch


def launch_one(folder: Path, log: Path) -> None:
    with Bases(folder).held(IMAGE, fetching(log), None) as base:
        assert base.data.read_bytes() == DATA


def test_ten_processes_fetch_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(5) as pool:
        pool.starmap(launch_one, [(tmp_path / "images", tmp_path / "log")] * 10)
    assert (tmp_path / "log").read_bytes() == b"."


def test_other_data_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    bases = Bases(tmp_path)
    wrong = fetching(tmp_path / "log", b"x" * len(DATA))
    with pytest.raises(Damaged, match="sha512"), bases.held(IMAGE, wrong, None):
        pass
    assert bases.all() == []
    assert not [path for path in tmp_path.rglob("*") if path.name in ("data", "incoming")]


def test_what_changed_on_this_host_is_fetched_again(tmp_path: Path) -> None:
    bases, fetch = Bases(tmp_path / "images"), fetching(tmp_path / "log")
    with bases.held(IMAGE, fetch, None) as base:
        pass
    base.data.chmod(0o600)
    base.data.write_bytes(b"y" * len(DATA))
    with pytest.raises(Damaged):
        bases.checked(base.key)
    with bases.held(IMAGE, fetch, None) as again:
        assert again.data.read_bytes() == DATA
    assert (tmp_path / "log").read_bytes() == b".."


def test_a_change_that_keeps_size_and_time_is_found_when_asked_for(tmp_path: Path) -> None:
    bases = Bases(tmp_path / "images")
    with bases.held(IMAGE, fetching(tmp_path / "log"), None) as base:
        pass
    before = base.data.stat()
    base.data.chmod(0o600)
    with base.data.open("r+b") as file:
        file.write(b"S")
    os.utime(base.data, ns=(before.st_atime_ns, before.st_mtime_ns))
    bases.checked(base.key)
    with pytest.raises(Damaged):
        bases.checked(base.key, thoroughly=True)
    assert bases.all()[0].stamp is None


def test_a_base_is_removed_when_nobody_uses_it(tmp_path: Path) -> None:
    bases = Bases(tmp_path / "images")
    held = bases.held(IMAGE, fetching(tmp_path / "log"), None)
    with held as base, pytest.raises(Conflict, match="in use"):
        bases.remove(base.key, lambda key: False)
    with pytest.raises(Conflict, match="delete them"):
        bases.remove(base.key, lambda key: True)
    bases.remove(base.key, lambda key: False)
    assert bases.all() == []
    with pytest.raises(NotFound):
        bases.find("disk")


def test_a_signature_that_is_demanded_later_is_verified_on_what_is_here(tmp_path: Path) -> None:
    (tmp_path / "builder.pem").write_bytes(signer("RSA-PSS").pem)
    signatures = Signatures(CertificateFolder(tmp_path), Caller())
    bases, fetch = Bases(tmp_path / "images"), fetching(tmp_path / "log")

    def signed(data: bytes) -> Seal:
        return signatures.seal(replace(IMAGE, properties=signer("RSA-PSS").properties(data, "builder")))

    with bases.held(IMAGE, fetch, None) as base:
        assert base.seal is None
    with bases.held(IMAGE, fetch, signed(DATA)) as base:
        assert base.seal is not None
    with pytest.raises(SignatureInvalid), bases.held(IMAGE, fetch, signed(b"other")):
        pass
    assert (tmp_path / "log").read_bytes() == b"."


def test_a_broken_fetch_leaves_what_it_has(tmp_path: Path) -> None:
    def break_off(path: Path) -> None:
        path.write_bytes(b"half")
        raise Unavailable("image service", "it went away")

    bases = Bases(tmp_path / "images")
    with pytest.raises(Unavailable), bases.held(IMAGE, break_off, None):
        pass
    assert bases.all() == []
    with bases.held(IMAGE, fetching(tmp_path / "log"), None) as base:
        assert base.data.read_bytes() == DATA
