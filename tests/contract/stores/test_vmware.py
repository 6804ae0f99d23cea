"""The store of VMware on a simulated vCenter."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest

from glimpse.domain.errors import Conflict, Invalid, LimitExceeded, SizeMismatch, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.vmware.places import Datastore, Names
from tests.backends.vmware import (
    ELSEWHERE,
    LARGE,
    SMALL,
    WITHOUT_RANGES,
    OwnVcenter,
    VmwareBackend,
    running,
)
from tests.contract.stores.suite import CONTENT, MIB, StoreSuite, drain, fill, get, new_key, put

pytestmark = pytest.mark.services


@pytest.fixture
def backend() -> Iterator[VmwareBackend]:
    backend = VmwareBackend(running())
    yield backend
    leftovers = backend.leftovers()
    backend.close()
    assert leftovers == []


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnVcenter]:
    own = OwnVcenter(tmp_path)
    yield own
    own.kill()


class TestVmware(StoreSuite):
    """Where ranges are honoured."""

    server = "a simulated vCenter"


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (1000, 5000), (250_000, 1), (len(CONTENT) - 1, 1)])
def test_a_server_that_does_not_honour_ranges(backend: VmwareBackend, offset: int, length: int) -> None:
    store = backend.open(WITHOUT_RANGES)
    url = put(store, CONTENT)
    assert get(store, url, offset, length) == CONTENT[offset : offset + length]
    with pytest.raises(StoreObjectMissing):
        store.open_reader(url, offset, len(CONTENT) - offset + 1)
    store.delete(url)


def test_the_names_are_those_of_glance(backend: VmwareBackend) -> None:
    key = new_key()
    url = put(backend.store, CONTENT, key)
    place = (
        f"{backend.vcenter.account.host}/folder/{backend.folder}/{key.image_id}?dcPath=DC0&dsName=LocalDS_0"
    )
    assert url == f"vsphere://{place}"
    assert backend.path(url).read_bytes() == CONTENT
    backend.store.delete(url)


def test_an_image_of_glance(backend: VmwareBackend) -> None:
    key = new_key()
    url = put(backend.store, CONTENT, key)
    theirs = backend.path(url)
    theirs.with_name(f"{key.image_id}.owner").unlink()
    assert get(backend.store, url) == CONTENT
    assert backend.store.stat(url) == len(CONTENT)
    again = ObjectKey(key.image_id, uuid4().hex)
    writer = backend.store.open_writer(again, None)
    writer.write([b"other"])
    with pytest.raises(Conflict):
        writer.commit()
    backend.store.discard(again)
    backend.store.discard(key)
    assert get(backend.store, url) == CONTENT
    backend.store.delete(url)


def test_a_crash_before_the_image_has_its_name(backend: VmwareBackend) -> None:
    dead = new_key()
    die_as_owner(backend, dead)
    with pytest.raises(Conflict):
        put(backend.store, b"alive", ObjectKey(dead.image_id, uuid4().hex))
    backend.store.discard(dead)
    assert backend.leftovers() == []
    url = put(backend.store, b"alive", ObjectKey(dead.image_id, uuid4().hex))
    backend.store.discard(dead)
    assert get(backend.store, url) == b"alive"
    backend.store.delete(url)


def test_a_crash_while_glance_writes_the_same_image(backend: VmwareBackend) -> None:
    dead = new_key()
    theirs = die_as_owner(backend, dead)
    theirs.write_bytes(b"theirs")
    backend.store.discard(dead)
    assert backend.leftovers() == [theirs.name]
    theirs.unlink()


def test_glance_writes_the_same_image_at_the_last_moment(
    backend: VmwareBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    writer = backend.open(LARGE).open_writer(key, None)
    theirs = backend.vcenter.folder / LARGE.name / backend.folder / key.image_id
    monkeypatch.setattr(writer, "_check_name", lambda: theirs.write_bytes(b"theirs"))
    with pytest.raises(Conflict):
        writer.commit()
    backend.store.discard(key)
    assert backend.leftovers() == [theirs.name]
    theirs.unlink()


def die_as_owner(backend: VmwareBackend, key: ObjectKey) -> Path:
    """Come to the last step of a commit, and no further. Returns where the image would be."""
    writer = backend.open(LARGE).open_writer(key, len(CONTENT))
    writer.write([CONTENT])
    writer._upload.finish()
    names = Names.of(LARGE, backend.folder, key)
    writer._session.move(names.ticket, names.owner)
    return backend.vcenter.folder / LARGE.name / names.final.path


def test_another_process_discards(backend: VmwareBackend) -> None:
    key = new_key()
    writer = backend.store.open_writer(key, None)
    writer.write([CONTENT])
    backend.open(SMALL, LARGE).discard(key)
    with pytest.raises(Conflict):
        writer.commit()


def test_it_starts_before_its_server(own: OwnVcenter) -> None:
    own.kill()
    backend = VmwareBackend(own.vcenter)
    with pytest.raises(Unavailable, match="connection to vCenter failed"):
        backend.store.open_writer(new_key(), 1)
    own.start()
    assert get(backend.store, put(backend.store, CONTENT)) == CONTENT


def test_sessions_that_end(own: OwnVcenter) -> None:
    backend = VmwareBackend(own.vcenter)
    store, key = backend.store, new_key()
    url = put(store, CONTENT, key)
    own.vcenter.end_sessions()
    assert store.stat(url) == len(CONTENT)
    own.vcenter.end_sessions()
    assert get(store, url) == CONTENT
    own.vcenter.end_sessions()
    writer = store.open_writer(new_key(), None)
    own.vcenter.end_sessions()
    writer.write([CONTENT])
    own.vcenter.end_sessions()
    store.delete(writer.commit())
    own.vcenter.end_sessions()
    store.discard(key)
    assert backend.leftovers() == []


def test_an_upload_begins_in_a_session_that_is_alive(own: OwnVcenter) -> None:
    backend = VmwareBackend(own.vcenter)
    store = backend.open(LARGE)
    names = Names.of(LARGE, backend.folder, new_key())
    store._make_folder(names.final)
    own.vcenter.end_sessions()
    upload = store._files.open_upload(names.final, len(CONTENT))
    upload.send([CONTENT])
    upload.finish()
    assert store._files.size(names.final) == len(CONTENT)


def test_a_long_upload_shows_that_its_session_is_in_use(own: OwnVcenter) -> None:
    backend = VmwareBackend(own.vcenter)
    writer = backend.open(LARGE, keep_alive=0.0).open_writer(new_key(), None)
    before = own.vcenter.calls()
    writer.write([CONTENT])
    assert own.vcenter.calls() > before
    writer.abort()


def test_killed_in_the_middle_of_an_upload(own: OwnVcenter) -> None:
    backend, key = VmwareBackend(own.vcenter), new_key()
    writer = backend.store.open_writer(key, None)
    writer.write([CONTENT])
    own.kill()
    with pytest.raises(Unavailable):
        fill(writer, 10 * MIB)
    writer.abort()
    own.start()
    assert backend.leftovers() != []
    backend.store.discard(key)
    assert backend.leftovers() == []


def test_killed_before_commit(own: OwnVcenter) -> None:
    backend, key = VmwareBackend(own.vcenter), new_key()
    writer = backend.store.open_writer(key, len(CONTENT))
    writer.write([CONTENT])
    own.kill()
    with pytest.raises(Unavailable):
        writer.commit()
    own.start()
    backend.store.discard(key)
    assert backend.leftovers() == []


def test_a_read_goes_on_where_it_broke(own: OwnVcenter) -> None:
    store = VmwareBackend(own.vcenter).open(LARGE)
    content = os.urandom(MIB) * 24
    url = put(store, content)
    reader = store.open_reader(url, 10, len(content) - 10)
    begin = next(reader)
    own.kill()
    own.start()
    assert begin + b"".join(reader) == content[10:]


def test_killed_in_the_middle_of_a_read(own: OwnVcenter) -> None:
    store = VmwareBackend(own.vcenter).store
    url = put(store, bytes(24 * MIB))
    reader = store.open_reader(url, 0, 24 * MIB)
    own.kill()
    with pytest.raises(Unavailable):
        drain(reader)


def test_a_host_that_vcenter_redirects_to_does_not_see_the_session(backend: VmwareBackend) -> None:
    store = backend.open(ELSEWHERE)
    url = put(store, CONTENT)
    assert store.stat(url) == len(CONTENT)
    assert get(store, url, 1000, 5000) == CONTENT[1000:6000]
    store.delete(url)


def test_a_folder_that_was_removed_is_made_again(backend: VmwareBackend) -> None:
    url = put(backend.store, CONTENT)
    folder = backend.path(url).parent
    backend.store.delete(url)
    folder.rmdir()
    with pytest.raises(Unavailable, match="does not exist"):
        put(backend.store, CONTENT)
    backend.store.delete(put(backend.store, CONTENT))


def test_a_folder_in_a_folder(backend: VmwareBackend) -> None:
    store = backend.open(LARGE, folder=f"{backend.folder}/a b/ü")
    url = put(store, CONTENT)
    assert "/a%20b/%C3%BC/" in url
    assert get(store, url) == CONTENT
    store.delete(url)
    for name in ("a b/ü", "a b"):
        (backend.vcenter.folder / LARGE.name / backend.folder / name).rmdir()


def test_the_highest_weight_is_first(backend: VmwareBackend) -> None:
    best, equal = replace(WITHOUT_RANGES, weight=200), replace(ELSEWHERE, weight=200)
    store = backend.open(LARGE, best)
    urls = [put(store, b"x") for _ in range(3)]
    assert {url.rpartition("=")[2] for url in urls} == {best.name}
    store = backend.open(LARGE, best, equal)
    urls += [put(store, b"x") for _ in range(4)]
    assert sorted(url.rpartition("=")[2] for url in urls[3:]) == 2 * [best.name] + 2 * [equal.name]
    for url in urls:
        store.delete(url)


def test_a_datastore_without_room_is_passed_over(backend: VmwareBackend) -> None:
    store = backend.open(replace(SMALL, weight=200), LARGE)
    small, large = put(store, bytes(MIB)), put(store, bytes(9 * MIB))
    assert (SMALL.name in small, LARGE.name in large) == (True, True)
    store.delete(small)
    store.delete(large)


def test_a_datastore_that_fills_up(backend: VmwareBackend) -> None:
    store = backend.full_store()
    first = store.open_writer(new_key(), 5 * MIB)
    second = store.open_writer(new_key(), 5 * MIB)
    first.write([os.urandom(5 * MIB)])
    url = first.commit()
    with pytest.raises(LimitExceeded):
        fill(second, 5 * MIB)
    second.abort()
    store.delete(url)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong-one"}, "refuses the user name or the password"),
        ({"user": "nobody"}, "refuses the user name or the password"),
        ({"ca_file": None}, "certificate"),
        ({"host": "127.0.0.1:1", "retries": 1}, "connection to vCenter failed"),
    ],
)
def test_bad_accounts(backend: VmwareBackend, changes: dict[str, Any], reason: str) -> None:
    store = backend.open(LARGE, **changes)
    with pytest.raises(Unavailable, match=reason) as caught:
        store.open_writer(new_key(), 1)
    assert "wrong-one" not in str(caught.value) + repr(store.__dict__)
    with pytest.raises(Unavailable, match=reason):
        store.stat(
            f"vsphere://{changes.get('host', backend.vcenter.account.host)}/folder/{backend.folder}/a?{_DS}"
        )


_DS = "dcPath=DC0&dsName=LocalDS_0"


def test_a_wrong_password_is_tried_once(backend: VmwareBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account may be locked after a few."""
    store = backend.open(LARGE, password="wrong-one")
    log_in = Mock(side_effect=store._session._log_in)
    monkeypatch.setattr(store._session, "_log_in", log_in)
    with pytest.raises(Unavailable):
        store.open_writer(new_key(), 1)
    assert log_in.call_count == 1


def test_an_insecure_account(backend: VmwareBackend) -> None:
    store = backend.open(LARGE, ca_file=None, insecure=True)
    url = put(store, CONTENT)
    assert get(store, url) == CONTENT
    store.delete(url)


@pytest.mark.parametrize(
    ("datastore", "reason"),
    [
        (Datastore("DC9", "LocalDS_0"), "the datacenter 'DC9' does not exist"),
        (Datastore("DC0", "nowhere"), "the datastore 'DC0:nowhere' does not exist"),
    ],
)
def test_places_that_are_not_there(backend: VmwareBackend, datastore: Datastore, reason: str) -> None:
    with pytest.raises(Unavailable, match=reason):
        backend.open(datastore).open_writer(new_key(), 1)


@pytest.mark.parametrize("image_id", ["..", "a/b", "", "a\0b", "x.owner", "[a] b", "%2e%2e"])
def test_ids_that_are_no_names(backend: VmwareBackend, image_id: str) -> None:
    with pytest.raises(Invalid, match="image id"):
        backend.store.open_writer(ObjectKey(image_id, "1"), 1)
    backend.store.discard(ObjectKey(image_id, "1"))


def test_no_name_but_the_images_can_be_read(backend: VmwareBackend) -> None:
    key = new_key()
    writer = backend.store.open_writer(key, None)
    writer.write([CONTENT])
    url = Names.of(LARGE, backend.folder, key)
    for file in (url.incoming, url.ticket, url.owner):
        hidden = f"vsphere://{backend.vcenter.account.host}{file.resource()}"
        assert not backend.store.owns(hidden)
        with pytest.raises(StoreObjectMissing):
            backend.store.delete(hidden)
    writer.abort()


def test_more_or_fewer_bytes_than_announced(backend: VmwareBackend) -> None:
    writer = backend.store.open_writer(new_key(), 10)
    with pytest.raises(SizeMismatch):
        writer.write([CONTENT])
    writer.abort()
    writer = backend.store.open_writer(new_key(), 10)
    writer.write([b"nine byte"])
    with pytest.raises(SizeMismatch):
        writer.commit()


def test_locations_that_clients_bring(backend: VmwareBackend) -> None:
    backend.store.check_url(f"vsphere://{backend.vcenter.account.host}/folder/{backend.folder}/a?{_DS}")
    with pytest.raises(Invalid):
        backend.store.check_url(f"vsphere://elsewhere/folder/{backend.folder}/a?{_DS}")


def test_it_forgets_no_connection(backend: VmwareBackend) -> None:
    """A reader that nobody drains gives its connection back."""
    store = backend.open(LARGE)
    url = put(store, CONTENT)
    for _ in range(120):
        next(store.open_reader(url, 0, len(CONTENT)))
    store.delete(url)
