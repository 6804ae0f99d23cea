"""A real Cinder on a real Ceph, and on files where a bind mount stands in for NFS."""

import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.config.backends.cinder import CinderBackend
from glimpse.domain.errors import Conflict, Invalid, LimitExceeded, StoreObjectInUse, Unavailable
from glimpse.stores.base import LocalFile, ObjectKey, Store, StoreObjectMissing
from glimpse.stores.cinder.access import Account
from tests.backends.cinder import CinderServer, api, volumes_of
from tests.callers import caller, calling
from tests.contract.stores.suite import CONTENT, MIB, Backend, StoreSuite, get, new_key, put

pytestmark = pytest.mark.services

GIB = 1024 * MIB
ZEROS = bytes(64 * MIB)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> CinderServer:
    """One for all tests: to log in and to look at the machine takes seconds."""
    return CinderServer(tmp_path_factory.mktemp("cinder"))


class TestCinder(StoreSuite):
    server = "Cinder on Ceph"
    races = 6

    @pytest.fixture
    def backend(self, server: CinderServer) -> Backend:
        return server

    def test_full_store(self, backend: Backend) -> None:
        store = backend.full_store()
        writer = store.open_writer(new_key(), None)
        writer.write([CONTENT])
        # Holes take no room in the backend, but in the quota.
        chunks = [ZEROS] * (3 * GIB // len(ZEROS)) + [CONTENT]
        with pytest.raises(LimitExceeded) as caught:
            writer.write(chunks)
        assert caught.value.limit == "store capacity"
        writer.abort()
        assert backend.leftovers() == []

    def test_full_store_is_known_beforehand(self, backend: Backend) -> None:
        with pytest.raises(LimitExceeded) as caught:
            backend.full_store().open_writer(new_key(), 3 * GIB + 1)
        assert caught.value.maximum == 3 * GIB
        assert backend.leftovers() == []


def volume_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_committed_volume_is_what_glance_would_have_made(server: CinderServer) -> None:
    key = replace(new_key(), owner="project")
    writer = server.store.open_writer(key, None)
    (made,) = server.api.find("glimpse_attempt", key.attempt)
    assert made.name == f"incoming-{key}"
    with pytest.raises(StoreObjectMissing):
        server.store.stat(f"cinder://cinder/{made.id}")
    writer.write([CONTENT])
    url = writer.commit()
    volume = server.api.show(volume_of(url))
    assert url == f"cinder://cinder/{made.id}"
    assert (volume.name, volume.status, volume.gib) == (f"image-{key.image_id}", "available", 1)
    assert volume.metadata["glance_image_id"] == key.image_id
    assert volume.metadata["image_size"] == str(len(CONTENT))
    assert volume.metadata["image_owner"] == "project"
    assert volume.metadata["readonly"] == "True"
    old_url = f"cinder://{made.id}"
    assert server.store.owns(old_url)
    assert get(server.store, old_url) == CONTENT
    server.store.delete(old_url)
    assert server.leftovers() == []


@pytest.mark.parametrize("attached", [False, True], ids=["detached", "attached"])
def test_volume_of_unknown_size_grows(server: CinderServer, attached: bool) -> None:
    store = replace(server.settings, extend_attached=attached).open("cinder")
    writer = store.open_writer(new_key(), None)
    writer.write([b"begin"])
    writer.write([ZEROS] * (2 * GIB // len(ZEROS)) + [b"end"])
    url = writer.commit()
    assert server.api.show(volume_of(url)).gib == 3
    assert store.stat(url) == 2 * GIB + 8
    assert get(store, url, 2 * GIB, 8) == b"\0\0\0\0\0end"
    store.delete(url)
    assert server.leftovers() == []


def test_image_that_ends_with_a_hole(server: CinderServer) -> None:
    writer = server.store.open_writer(new_key(), None)
    writer.write([ZEROS] * (GIB // len(ZEROS)) + [bytes(100_000)])
    url = writer.commit()
    assert server.api.show(volume_of(url)).gib == 2
    assert get(server.store, url, GIB, 100_000) == bytes(100_000)
    server.store.delete(url)


def test_readers_share_an_attachment(server: CinderServer) -> None:
    url = put(server.store, CONTENT * 20)
    readers = [stream(server.store, url, 20 * len(CONTENT)) for _ in range(3)]
    beginnings = [next(reader) for reader in readers]
    assert len(server.api.attachments(volume_of(url))) == 1
    with pytest.raises(StoreObjectInUse):
        server.store.delete(url)
    assert {first + b"".join(reader) for first, reader in zip(beginnings, readers, strict=True)} == {
        CONTENT * 20
    }
    assert server.api.attachments(volume_of(url)) == []
    server.store.delete(url)


def test_reader_that_is_dropped_detaches(server: CinderServer) -> None:
    url = put(server.store, CONTENT * 20)
    reader = stream(server.store, url, 20 * len(CONTENT))
    next(reader)
    del reader
    assert get(server.store, url, 5, 5) == CONTENT[5:10]
    assert server.api.attachments(volume_of(url)) == []
    server.store.delete(url)


def test_only_types_with_multiattach_let_several_processes_read(tmp_path: Path) -> None:
    for kind in ("rbd", "shared"):
        server = CinderServer(tmp_path, kind)
        elsewhere = replace(server.settings, folder=tmp_path / "elsewhere", attempts=1).open("cinder")
        url = put(server.store, CONTENT * 20)
        reader = stream(server.store, url, 20 * len(CONTENT))
        next(reader)
        if kind == "shared":
            assert get(elsewhere, url, 0, 9) == CONTENT[:9]
        else:
            with pytest.raises(Unavailable, match="cannot be attached"):
                get(elsewhere, url, 0, 9)
        for _ in reader:
            pass
        server.store.delete(url)
        assert server.leftovers() == []


def test_attachment_of_another_host_is_respected(server: CinderServer) -> None:
    url = put(server.store, CONTENT)
    attachment = server.api.reserve(volume_of(url), "ro")
    with pytest.raises(StoreObjectInUse):
        server.store.delete(url)
    assert server.store.stat(url) == len(CONTENT)
    server.api.detach(attachment)
    server.store.delete(url)


CHILD = """
import os, pickle, signal, sys
settings, act, argument = pickle.load(sys.stdin.buffer)
store = settings.open("cinder")
if act == "read":
    transfer = store.open_reader(argument, 0, store.stat(argument))
    next(transfer)
else:
    transfer = store.open_writer(argument, None)
    transfer.write([b"half"])
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(settings: CinderBackend, act: str, argument: object) -> None:
    """A process that dies while it reads or writes."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=pickle.dumps((settings, act, argument)), check=False
    )
    assert child.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def nfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CinderServer]:
    home = tmp_path_factory.mktemp("nfs")
    yield CinderServer(home, "nfs")
    for folder in (home / "mnt" / "nfs").glob("*"):
        subprocess.run(["umount", folder], check=True)


def test_volumes_on_nfs_and_processes_that_die(nfs: CinderServer) -> None:
    url = put(nfs.store, [CONTENT, bytes(MIB), CONTENT])
    assert get(nfs.store, url) == CONTENT + bytes(MIB) + CONTENT
    killed(nfs.settings, "read", url)
    assert len(nfs.api.attachments(volume_of(url))) == 1
    assert get(nfs.store, url, 7, 70) == CONTENT[7:77]
    killed(nfs.settings, "read", url)
    nfs.store.delete(url)

    key = new_key()
    killed(nfs.settings, "write", key)
    (volume,) = nfs.api.find("glimpse_attempt", key.attempt)
    assert len(nfs.api.attachments(volume.id)) == 1
    nfs.store.discard(key)
    assert nfs.leftovers() == []


def test_attempt_is_discarded_by_another_process(nfs: CinderServer) -> None:
    other = nfs.settings.open("cinder")
    for written in (True, False):
        key = new_key()
        writer = nfs.store.open_writer(key, None)
        if written:
            writer.write([CONTENT])
        other.discard(key)
        writer.write([CONTENT])
        with pytest.raises(Conflict):
            writer.commit()
    assert nfs.leftovers() == []


def test_clone_outlives_its_image(server: CinderServer) -> None:
    url = put(server.store, CONTENT)
    clone = {"size": 1, "source_volid": volume_of(url), "volume_type": "rbd"}
    clone_id = server.api._call("POST", "/volumes", {"volume": clone})["volume"]["id"]
    assert server.api.settled(clone_id, {"creating"}).status == "available"
    server.store.delete(url)
    with pytest.raises(StoreObjectMissing):
        server.store.stat(url)
    assert server.api.show(clone_id).status == "available"
    server.api.purge(clone_id)


def test_image_that_cinder_made_of_a_volume(server: CinderServer) -> None:
    """It has the size of the whole volume, and no name or metadata of ours."""
    volume = server.api.create("image-of-cinder", 1, "rbd", {"image_owner": "somebody"})
    server.api.settled(volume.id, {"creating"})
    assert server.store.stat(f"cinder://{volume.id}") == GIB
    assert get(server.store, f"cinder://{volume.id}", GIB - 3, 3) == bytes(3)
    server.store.delete(f"cinder://{volume.id}")


def test_volume_that_is_no_image(server: CinderServer) -> None:
    volume = server.api.create("somebody's", 1, "rbd", {})
    url = f"cinder://cinder/{volume.id}"
    for act in (server.store.stat, server.store.delete, lambda url: server.store.open_reader(url, 0, 0)):
        with pytest.raises(StoreObjectMissing):
            act(url)
    assert server.api.settled(volume.id, {"creating"}).status == "available"
    server.api.purge(volume.id)


def test_locations_of_clients(server: CinderServer) -> None:
    volume = "0c9a1c70-6c6b-4f3c-8c4b-4f9d6a1b2c3d"
    for url in (f"cinder://{volume}", f"cinder://cinder/{volume}"):
        server.store.check_url(url)
    for url in (
        f"cinder://other/{volume}",
        f"cinder:///{volume}",
        f"cinder://cinder/../{volume}",
        "cinder://x",
        "rbd://x",
    ):
        with pytest.raises(Invalid):
            server.store.check_url(url)


def test_unknown_volume_type_is_named(tmp_path: Path) -> None:
    server = CinderServer(tmp_path, "no-such-type")
    with pytest.raises(Unavailable, match="'no-such-type'"):
        server.store.open_writer(new_key(), 5)
    assert server.leftovers() == []


def test_what_cinder_failed_to_remove_is_removed_later(server: CinderServer) -> None:
    key = new_key()
    url = put(server.store, CONTENT)
    server.store.open_writer(key, 1)
    (begun,) = server.api.find("glimpse_attempt", key.attempt)
    for volume in (begun.id, volume_of(url)):
        failed = {"os-reset_status": {"status": "error_deleting"}}
        server.api._change("POST", volume, "/action", failed)
    server.store.discard(key)
    server.store.delete(url)
    assert server.leftovers() == []


def refused(settings: CinderBackend, reason: str) -> None:
    """Every call says so, and tells no secrets."""
    store: Store = settings.open("cinder")
    url = "cinder://0c9a1c70-6c6b-4f3c-8c4b-4f9d6a1b2c3d"
    key = ObjectKey("image", "attempt")
    for act in (
        lambda: store.open_writer(key, 1),
        lambda: store.stat(url),
        lambda: store.delete(url),
        store.usage,
        lambda: store.discard(key),
    ):
        with pytest.raises(Unavailable, match=reason) as caught:
            act()
        assert "wrong" not in str(caught.value)


def test_servers_that_refuse_or_are_away(server: CinderServer) -> None:
    settings = replace(server.settings, endpoint=replace(server.settings.endpoint, retries=0))
    account, endpoint = settings.account, settings.endpoint
    refused(replace(settings, account=replace(account, password="wrong")), "refuses the credentials")
    refused(replace(settings, account=replace(account, auth_url="http://127.0.0.1:1/v3")), "does not answer")
    refused(replace(settings, endpoint=replace(endpoint, region="nowhere")), "no such service")
    refused(
        replace(settings, endpoint=replace(endpoint, template="http://127.0.0.1:1/v3/%(tenant)s")),
        "does not answer",
    )


def test_volumes_of_whoever_calls(server: CinderServer) -> None:
    """Without an account of its own the store is the caller, and lets nobody else do anything."""
    settings = replace(server.settings, account=Account(server.settings.account.auth_url))
    store, key = settings.open("callers"), replace(new_key(), owner="project")
    demo = caller(settings.account.auth_url, "demo", "demo")
    with calling(demo):
        url = put(store, CONTENT, key)
        assert get(store, url) == CONTENT
        assert store.usage().used == GIB
    theirs = api(server.small_settings)
    assert volumes_of(theirs)[volume_of(url)] == f"image-{key.image_id}"
    for who in (None, caller(settings.account.auth_url, "demo2", "demo2")):
        with calling(who), pytest.raises((Unavailable, StoreObjectMissing)) as caught:
            store.delete(url)
        assert isinstance(caught.value, Unavailable) is (who is None)
    with pytest.raises(Unavailable, match=r"store callers .* nobody calls"):
        store.discard(key)
    with calling(demo):
        reader = store.open_reader(url, 0, len(CONTENT))
        assert isinstance(reader, Iterator)
        next(reader)
        reader.close()  # type: ignore[attr-defined]
        writer = store.open_writer(again := new_key(), len(CONTENT))
        writer.write([CONTENT])
        store.discard(again)
        with pytest.raises(Conflict):
            writer.commit()
        store.delete(url)
    assert server.leftovers() == []


def test_callers_whose_catalog_has_no_cinder(server: CinderServer) -> None:
    settings = replace(
        server.settings,
        account=Account(server.settings.account.auth_url),
        endpoint=replace(server.settings.endpoint, region="nowhere"),
    )
    demo = caller(settings.account.auth_url, "demo", "demo")
    with calling(demo), pytest.raises(Unavailable, match="no such service, interface or region"):
        settings.open("callers").usage()
    with calling(replace(demo, token="ended")), pytest.raises(Unavailable, match="Keystone refuses"):
        settings.open("callers").usage()


def test_endpoint_by_template(server: CinderServer) -> None:
    template = f"{server.url}/%(tenant)s"
    store = replace(server.settings, endpoint=replace(server.settings.endpoint, template=template)).open(
        "cinder"
    )
    url = put(store, CONTENT)
    assert get(store, url) == CONTENT
    store.delete(url)


def stream(store: Store, url: str, length: int) -> Iterator[bytes]:
    reader = store.open_reader(url, 0, length)
    assert not isinstance(reader, LocalFile)
    return reader
