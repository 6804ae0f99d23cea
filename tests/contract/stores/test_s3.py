"""The store of S3 on real servers."""

import os
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.stores.base import ObjectKey
from glimpse.stores.s3.bucket import OBJECTS, UPLOADS, Bucket
from glimpse.stores.s3.store import S3Store
from glimpse.stores.s3.writer import Cut
from tests.backends.s3 import CUT, S3Backend, find
from tests.contract.stores.suite import CONTENT, MIB, Backend, StoreSuite, drain, get, new_key, put
from tests.relay import Relay

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["swift", "ceph"])
def made(request: pytest.FixtureRequest) -> Iterator[S3Backend]:
    backend = S3Backend(find(request.param))
    yield backend
    backend.close()


class TestS3(StoreSuite):
    servers: ClassVar = {"swift": "Swift's s3api", "ceph": "Ceph's radosgw"}
    races = 10

    @pytest.fixture
    def backend(self, made: S3Backend) -> S3Backend:
        return made

    def test_full_store_is_known_beforehand(self, backend: Backend) -> None:
        pytest.skip("S3 does not tell how much room there is")


@pytest.fixture
def backend(made: S3Backend) -> Iterator[S3Backend]:
    yield made
    assert made.leftovers() == []


def store_at(backend: S3Backend, url: str = "", cut: Cut = CUT, **changes: Any) -> S3Store:
    """Another store in the same bucket, as another process would have it."""
    endpoint = backend.server.endpoint(backend.bucket)
    return S3Store("s3", replace(endpoint, url=url or endpoint.url, **changes), cut)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as caught:
        call()
    assert caught.value.part == "store s3"
    return caught.value.reason


def tag_of(backend: S3Backend, url: str) -> str:
    answer = backend.client.head_object(Bucket=backend.bucket, Key=url.rpartition("/")[2])
    return str(answer["ETag"])


@pytest.mark.parametrize("announced", [True, False], ids=["known-size", "unknown-size"])
@pytest.mark.parametrize(("length", "parts"), [(5 * MIB, 1), (10 * MIB, 2), (12 * MIB + 1, 3)])
def test_large_images_come_in_parts(backend: S3Backend, length: int, parts: int, announced: bool) -> None:
    content = os.urandom(length)
    writer = backend.store.open_writer(new_key(), length if announced else None)
    for at in range(0, length, 777_777):
        writer.write([content[at : at + 777_777]])
    url = writer.commit()
    assert tag_of(backend, url).strip('"').endswith(f"-{parts}")
    assert get(backend.store, url) == content
    backend.store.delete(url)


def test_small_images_come_as_a_whole(backend: S3Backend) -> None:
    url = put(backend.store, [b"x" * (5 * MIB - 1)])
    assert "-" not in tag_of(backend, url)
    backend.store.delete(url)


def test_the_object_is_named_by_the_image(backend: S3Backend) -> None:
    key = new_key()
    url = put(backend.store, CONTENT, key)
    host = backend.server.url.removeprefix("http://")
    assert url == f"s3://{host}/{backend.bucket}/{key.image_id}"
    backend.store.delete(url)


def test_memory_is_flat(backend: S3Backend) -> None:
    chunk = os.urandom(MIB)
    writer = backend.store.open_writer(new_key(), None)
    tracemalloc.start()
    for _ in range(48):
        writer.write([chunk])
    url = writer.commit()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two parts under way and one that is filled, each of 5 MiB, which a growing buffer exceeds by an eighth.
    assert peak < 24 * MIB
    backend.store.delete(url)


def test_discard_against_commit_in_parts(backend: S3Backend) -> None:
    for _ in range(5):
        key = new_key()
        writer = backend.store.open_writer(key, 6 * MIB)
        writer.write([bytes(6 * MIB)])
        thread = threading.Thread(target=store_at(backend).discard, args=(key,))
        thread.start()
        with suppress(Conflict):
            writer.commit()
        thread.join()
        assert backend.leftovers() == []


def test_what_a_dead_process_left_is_removed(backend: S3Backend) -> None:
    key = new_key()
    program = (
        "import os, sys; sys.path.insert(0, os.getcwd())\n"
        "from glimpse.stores.base import ObjectKey\n"
        "from glimpse.stores.s3.store import S3Store\n"
        "from glimpse.stores.s3.bucket import Endpoint\n"
        "from tests.backends.s3 import CUT\n"
        "url, bucket, key, secret, name = sys.argv[1:]\n"
        "store = S3Store('s3', Endpoint(url, bucket, key, secret), CUT)\n"
        "writer = store.open_writer(ObjectKey.parse(name), None)\n"
        "writer.write([bytes(12 * 1024 * 1024)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    server = backend.server
    arguments = [server.url, backend.bucket, server.access_key, server.secret_key, str(key)]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], cwd=Path(__file__).parents[3])
    assert ended.returncode == -9
    assert any(name.startswith("upload ") for name in backend.leftovers())
    backend.store.discard(key)
    assert backend.leftovers() == []


def test_an_upload_without_a_marker_is_removed(backend: S3Backend) -> None:
    """Its process died between the two."""
    key = new_key()
    backend.client.create_multipart_upload(Bucket=backend.bucket, Key=key.image_id)
    other = backend.client.create_multipart_upload(Bucket=backend.bucket, Key=f"{key.image_id}0")
    backend.store.discard(key)
    assert all(f"{key.image_id}0" in name for name in backend.leftovers())
    place = {"Bucket": backend.bucket, "Key": f"{key.image_id}0"}
    backend.client.abort_multipart_upload(UploadId=other["UploadId"], **place)


def test_another_attempt_that_is_under_way_is_spared(backend: S3Backend) -> None:
    dead, alive = new_key(), new_key()
    alive = ObjectKey(dead.image_id, alive.attempt)
    backend.store.open_writer(dead, None).write([CONTENT])
    writer = backend.store.open_writer(alive, None)
    writer.write([bytes(6 * MIB)])
    backend.store.discard(dead)
    url = writer.commit()
    assert backend.store.stat(url) == 6 * MIB
    backend.store.delete(url)


def test_lists_of_several_pages(backend: S3Backend) -> None:
    bucket, image = Bucket("s3", backend.server.endpoint(backend.bucket)), new_key().image_id
    for _ in range(3):
        bucket.begin_upload(image, {})
    uploads = bucket._pages("list_multipart_uploads", "Uploads", UPLOADS, Prefix=image, MaxUploads=2)
    assert len(list(uploads)) == 3
    for upload in bucket.uploads(image):
        bucket.abort_upload(image, upload)
    for number in range(3):
        bucket.put(f"{image}.{number}", b"", {})
    names = bucket._pages("list_objects_v2", "Contents", OBJECTS, Prefix=image, MaxKeys=2)
    assert len(list(names)) == 3
    for name in bucket.names(image):
        bucket.delete(name)


def test_a_discarded_upload_fails_while_it_is_written(backend: S3Backend) -> None:
    key = new_key()
    writer = backend.store.open_writer(key, None)
    store_at(backend).discard(key)
    with pytest.raises(Unavailable, match="given up"):
        writer.write([bytes(5 * MIB)] * 10)
    writer.abort()


def test_objects_of_glance_stay(backend: S3Backend) -> None:
    key = new_key()
    backend.client.put_object(Bucket=backend.bucket, Key=key.image_id, Body=CONTENT)
    writer = backend.store.open_writer(key, 5)
    writer.write([b"other"])
    with pytest.raises(Conflict):
        writer.commit()
    backend.store.discard(key)
    host = backend.server.url.removeprefix("http://")
    url = f"s3://{backend.server.access_key}:AB/c+d@{host}/{backend.bucket}/{key.image_id}"
    assert backend.store.owns(url)
    assert get(backend.store, url) == CONTENT
    for scheme in ("s3+http", "s3+https"):
        assert backend.store.stat(f"{scheme}://{host}/{backend.bucket}/{key.image_id}") == len(CONTENT)
    backend.store.delete(url)


def test_a_read_goes_on_where_it_broke(backend: S3Backend) -> None:
    content = os.urandom(3 * MIB + 5)
    url = put(backend.store, content)
    relay = Relay(backend.server.url)
    store = store_at(backend, relay.url)
    there = url.replace(backend.server.url[7:], relay.url[7:])
    relay.cut_after = repeat(700_000)
    assert drain(store.open_reader(there, 11, len(content) - 11)) == content[11:]
    assert relay.connections >= 5
    relay.close()
    backend.store.delete(url)


def test_versions_are_not_mixed(backend: S3Backend) -> None:
    url = put(backend.store, os.urandom(4 * MIB))
    relay = Relay(backend.server.url)
    store = store_at(backend, relay.url)
    relay.cut_after = repeat(2 * MIB)
    chunks = iter(store.open_reader(url.replace(backend.server.url[7:], relay.url[7:]), 0, 4 * MIB))
    next(chunks)
    backend.client.put_object(Bucket=backend.bucket, Key=url.rpartition("/")[2], Body=os.urandom(4 * MIB))
    assert refused(lambda: list(chunks)) == "an image was removed while it was read"
    relay.close()
    backend.store.delete(url)


@pytest.mark.parametrize(("size", "method"), [(100, b"PUT /{0}/{1} "), (6 * MIB, b"POST /{0}/{1}?uploadId")])
def test_the_answer_to_a_commit_is_lost(backend: S3Backend, size: int, method: bytes) -> None:
    """The call is repeated, and must not take its own work for that of another."""
    key = new_key()
    relay = Relay(backend.server.url)
    writer = store_at(backend, relay.url).open_writer(key, size)
    content = os.urandom(size)
    writer.write([content])
    relay.swallow = method.decode().format(backend.bucket, key.image_id).encode()
    url = writer.commit()
    assert relay.swallowed == 1
    relay.close()
    url = url.replace(relay.url[7:], backend.server.url[7:])
    assert get(backend.store, url) == content
    backend.store.delete(url)


def test_wrong_keys(backend: S3Backend) -> None:
    wrong = store_at(backend, secret_key="not-this-one")
    assert refused(lambda: wrong.open_writer(new_key(), 1)) == "the access key or the secret key is wrong"
    nobody = store_at(backend, access_key="nobody:there")
    reason = refused(lambda: nobody.open_writer(new_key(), 1))
    assert reason == "the access key or the secret key is wrong"
    assert "denied" in refused(lambda: wrong.stat(f"{wrong._prefix}x"))


def test_a_user_who_may_not_write() -> None:
    backend = S3Backend(find("swift"))
    stranger = store_at(backend, access_key="test:reader", secret_key="reading")
    assert "denied" in refused(lambda: stranger.open_writer(new_key(), 1))
    assert backend.leftovers() == []
    backend.close()


def test_missing_bucket(backend: S3Backend) -> None:
    store = store_at(backend, bucket="glimpse-nowhere")
    url = f"{store._prefix}x"
    for call in (
        lambda: store.open_writer(new_key(), 1),
        lambda: store.open_writer(new_key(), None),
        lambda: store.open_reader(url, 0, 1),
        lambda: store.open_reader(url, 0, 0),
        lambda: store.stat(url),
        lambda: store.delete(url),
        lambda: store.discard(new_key()),
    ):
        assert refused(call) == "the bucket 'glimpse-nowhere' does not exist"


def test_the_bucket_is_made_when_it_is_needed(backend: S3Backend) -> None:
    bucket = f"{backend.bucket}-made"
    store = S3Store("s3", backend.server.endpoint(bucket), CUT, create_bucket=True)
    url = put(store, CONTENT)
    assert get(store, url) == CONTENT
    store.delete(url)
    backend.client.delete_bucket(Bucket=bucket)


def test_nobody_answers(backend: S3Backend) -> None:
    relay = Relay(backend.server.url)
    relay.cut()
    store = store_at(backend, relay.url)
    assert refused(lambda: store.stat(f"{store._prefix}x")).startswith("the connection failed")


def test_checksums(backend: S3Backend) -> None:
    store = store_at(backend, upload_checksums="when_supported", download_checksums="when_supported")
    for size in (1000, 6 * MIB):
        content = os.urandom(size)
        url = put(store, content)
        assert get(store, url) == content
        store.delete(url)


def test_the_environment_says_nothing(backend: S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "http://127.0.0.1:9"
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": nowhere,
        "AWS_CA_BUNDLE": "/nonexistent",
        "HTTP_PROXY": nowhere,
        "http_proxy": nowhere,
    }.items():
        monkeypatch.setenv(name, value)
    assert refused(lambda: store_at(backend, bucket="glimpse-nowhere").discard(new_key())).startswith(
        "the bucket"
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_an_authority_of_ones_own(backend: S3Backend, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    relay = Relay(backend.server.url, context)
    stranger = store_at(backend, relay.url)
    assert refused(lambda: stranger.open_writer(new_key(), 1)) == "its certificate cannot be verified"
    store = store_at(backend, relay.url, ca_file=str(certificate[0]))
    for size in (1000, 6 * MIB):
        content = os.urandom(size)
        url = put(store, content)
        assert url.startswith("s3+https://127.0.0.1:")
        assert get(store, url) == content
        store.delete(url)
    relay.close()


def test_the_bucket_in_the_name_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swift's S3 API is configured for that."""
    backend = S3Backend(find("swift"))
    port, asked, ask = urlsplit(backend.server.url).port, set(), socket.getaddrinfo

    def find_here(host: str, *arguments: Any, **named: Any) -> Any:
        asked.add(host)
        return ask("127.0.0.1", *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", find_here)
    store = store_at(backend, f"http://s3.glimpse.test:{port}", addressing="virtual")
    url = put(store, CONTENT)
    assert url.startswith(f"s3://s3.glimpse.test:{port}/{backend.bucket}/")
    assert get(store, url) == CONTENT
    store.delete(url)
    assert asked == {f"{backend.bucket}.s3.glimpse.test"}
    backend.close()
