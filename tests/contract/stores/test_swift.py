import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from glimpse.domain.errors import Conflict, Invalid, LimitExceeded, Unavailable
from glimpse.stores.base import StoreObjectMissing
from glimpse.stores.swift.account import Abilities, Access
from glimpse.stores.swift.places import Containers
from glimpse.stores.swift.store import SwiftStore
from tests.backends.swift import MIB, Cluster, SwiftBackend, forget_tokens, running
from tests.contract.stores.suite import CONTENT, StoreSuite, get, new_key, put
from tests.relay import Relay

pytestmark = pytest.mark.services


class TestSwift(StoreSuite):
    server = "Swift"
    races = 10

    @pytest.fixture
    def backend(self) -> Iterator[SwiftBackend]:
        backend = SwiftBackend(Cluster.by_swift())
        yield backend
        backend.close()


CLUSTERS = {
    "static": lambda: SwiftBackend(Cluster.by_swift()),
    "dynamic": lambda: SwiftBackend(Cluster.by_swift("SWIFT_BARE_AUTH_URL")),
    "keystone": lambda: SwiftBackend(Cluster.by_keystone(), seed=3),
}
LARGE = os.urandom(7 * MIB + 5)


@pytest.fixture(params=CLUSTERS)
def any_backend(request: pytest.FixtureRequest) -> Iterator[SwiftBackend]:
    backend = CLUSTERS[request.param]()
    yield backend
    backend.close()


@pytest.fixture
def backend() -> Iterator[SwiftBackend]:
    backend = SwiftBackend(Cluster.by_swift())
    yield backend
    backend.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay(Cluster.by_swift().account().storage_url())
    yield relay
    relay.close()


def through(backend: SwiftBackend, relay: Relay) -> SwiftStore:
    return replace(backend.cluster, access=Access(endpoint=relay.url, timeout=10)).store(backend.terms)


def test_many_segments(any_backend: SwiftBackend) -> None:
    store = any_backend.store
    key = new_key()
    url = put(store, [LARGE[: 5 * MIB], LARGE[5 * MIB :]], key)
    container = next(one for one in any_backend.containers() if one.head())
    headers = container.head(key.image_id) or {}
    dynamic = any_backend.cluster.credentials.auth_address == running()["SWIFT_BARE_AUTH_URL"]
    assert ("X-Object-Manifest" in headers, "X-Static-Large-Object" in headers) == (dynamic, not dynamic)
    assert store.stat(url) == len(LARGE)
    assert get(store, url) == LARGE
    assert get(store, url, MIB - 10, 2 * MIB) == LARGE[MIB - 10 : 3 * MIB - 10]
    assert get(store, url, 7 * MIB, 5) == LARGE[7 * MIB :]
    store.delete(url)
    assert any_backend.leftovers() == []
    writer = store.open_writer(key, None)
    writer.write([LARGE])
    store.discard(key)
    with pytest.raises(Conflict):
        writer.commit()
    assert any_backend.leftovers() == []
    put(store, LARGE, key)
    store.discard(key)
    assert any_backend.leftovers() == []


def test_manifests_of_manifests(backend: SwiftBackend) -> None:
    store = backend.store
    assert isinstance(store, SwiftStore)
    store._abilities = Abilities(None, 3)
    url = put(store, LARGE)
    assert get(store, url) == LARGE
    assert get(store, url, 3 * MIB - 1, MIB) == LARGE[3 * MIB - 1 : 4 * MIB - 1]
    store.delete(url)
    assert backend.leftovers() == []


def test_segments_are_no_larger_than_the_cluster_takes(backend: SwiftBackend) -> None:
    store = backend.cluster.store(replace(backend.terms, segment=64 * MIB))
    largest = store._shape().segment
    assert largest < 64 * MIB
    content = bytes(largest + 1)
    url = put(store, content)
    assert get(store, url) == content
    store.delete(url)
    assert backend.leftovers() == []


def test_containers_by_image(backend: SwiftBackend) -> None:
    terms = replace(backend.terms, containers=Containers(backend.terms.containers.name, 2))
    store = backend.cluster.store(terms)
    key = new_key()
    url = put(store, CONTENT, key)
    assert f"/{terms.containers.name}_{key.image_id[:2]}/{key.image_id}" in url
    assert get(backend.store, url) == CONTENT
    assert backend.store.owns(url)
    store.delete(url)


def test_a_container_that_is_not_there(backend: SwiftBackend) -> None:
    store = backend.cluster.store(replace(backend.terms, create_containers=False))
    with pytest.raises(Unavailable, match=f"the container '{backend.terms.containers.name}' does not exist"):
        store.open_writer(new_key(), None)
    store.discard(new_key())
    assert store.usage().used == 0
    for call in (store.stat, store.delete):
        with pytest.raises(StoreObjectMissing):
            call(f"swift+config://ref1/{backend.terms.containers.name}/x")


def test_names_that_cannot_be(backend: SwiftBackend) -> None:
    for image_id in ("", "..", "a/b", "a\0"):
        with pytest.raises(Invalid):
            backend.store.open_writer(replace(new_key(), image_id=image_id), None)


def test_clients_choose_no_locations(backend: SwiftBackend) -> None:
    with pytest.raises(Invalid):
        backend.store.check_url("swift+config://ref1/glance/x")


def test_locations_of_glance_with_credentials(backend: SwiftBackend) -> None:
    url = put(backend.store, LARGE)
    told = running()
    assert told["SWIFT_KEY"] not in url
    _, _, address = told["SWIFT_AUTH_URL"].partition("://")
    user = told["SWIFT_USER"].replace(":", "%3A")
    place = f"{backend.terms.containers.name}/{url.rpartition('/')[2]}"
    old = f"swift+http://{user}:outdated@{address}/{place}"
    assert backend.store.owns(old)
    assert get(backend.store, old) == LARGE
    elsewhere = f"swift+http://{user}:outdated@127.0.0.1:1/v3/{place}"
    assert not backend.store.owns(elsewhere)
    with pytest.raises(StoreObjectMissing):
        backend.store.stat(elsewhere)
    another = f"swift+http://admin%3Aadmin:wrong@{address}/{place}"
    with pytest.raises(Unavailable) as caught:
        backend.store.stat(another)
    assert "wrong" not in str(caught.value)
    with pytest.raises(StoreObjectMissing):
        backend.store.stat(another.replace("wrong", "admin"))
    backend.store.delete(old)
    assert backend.leftovers() == []


@pytest.mark.parametrize("cluster", ["static", "dynamic"])
def test_large_objects_of_glance(cluster: str) -> None:
    """Written as Glance does: a dynamic large object of segments beside it; or one that is static."""
    backend = CLUSTERS[cluster]()
    container, image = backend.cluster.container(backend.terms.containers.name), str(uuid4())
    send = container.account.send
    send("PUT", container.path(), data=b"")
    parts = [os.urandom(1000 + number) for number in range(12)]
    for number, part in enumerate(parts, 1):
        send("PUT", container.path(f"{image}-{number:05}"), data=part)
    if cluster == "dynamic":
        send("PUT", container.path(image), {"X-Object-Manifest": f"{container.name}/{image}-"}, b"")
    else:
        paths = [{"path": f"/{container.name}/{image}-{number:05}"} for number in range(1, 13)]
        url = container.path(image, "multipart-manifest=put")
        send("PUT", url, data=json.dumps(paths).encode())
    send("PUT", container.path("other"), data=b"stays")
    place, content = f"swift+config://ref1/{container.name}/{image}", b"".join(parts)
    assert backend.store.stat(place) == len(content)
    assert get(backend.store, place) == content
    assert get(backend.store, place, 2500, 9000) == content[2500:11500]
    backend.store.delete(place)
    assert backend.leftovers() == ["other"]
    backend.close()


def test_images_in_accounts_of_others() -> None:
    owner = Cluster.by_keystone("demo:demo")
    image = str(uuid4())
    container = owner.container(f"glance_{image}")
    container.account.send("PUT", container.path(), data=b"")
    container.account.send("PUT", container.path(image), data=CONTENT)
    url = "swift+" + container.path(image)
    terms = SwiftBackend(owner).terms
    store = Cluster.by_keystone().store(replace(terms, containers=Containers("glance")))
    assert store.owns(url)
    with pytest.raises(Unavailable, match="may not do that"):
        store.stat(url)
    reseller = Cluster.by_keystone("service:reseller").store(replace(terms, containers=Containers("glance")))
    assert get(reseller, url) == CONTENT
    with pytest.raises(StoreObjectMissing):
        reseller.stat(url.replace("127.0.0.1", "127.0.0.2"))
    reseller.delete(url)
    assert container.head() is None


def test_application_credentials() -> None:
    cluster = Cluster.by_keystone("demo:demo")
    account, keystone = cluster.account(), running()["KEYSTONE_URL"]
    user = account._user.get_user_id(account._session)
    url = f"{keystone}/users/{user}/application_credentials"
    body = {"application_credential": {"name": uuid4().hex}}
    answer = account.send("POST", url, {"Content-Type": "application/json"}, json.dumps(body).encode())
    made = answer.json()["application_credential"]
    credentials = replace(
        cluster.credentials,
        user="",
        key="",
        application_credential_id=made["id"],
        application_credential_secret=made["secret"],
    )
    backend = SwiftBackend(replace(cluster, credentials=credentials))
    url = put(backend.store, CONTENT)
    assert get(backend.store, url) == CONTENT
    backend.close()


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (
            Access(region="nowhere"),
            "the catalog has no public endpoint of the object-store service in nowhere",
        ),
        (Access(service_type="s3"), "the catalog has no public endpoint of the s3 service"),
        (Access(endpoint="http://127.0.0.1:1/v1/x"), "the connection failed"),
    ],
)
def test_what_the_catalog_lacks(access: Access, reason: str) -> None:
    cluster = Cluster.by_keystone(access=access)
    store = cluster.store(SwiftBackend(Cluster.by_swift()).terms)
    with pytest.raises(Unavailable, match=reason):
        store.open_writer(new_key(), None)


@pytest.mark.parametrize("way", ["swift", "keystone"])
def test_wrong_credentials(way: str) -> None:
    cluster = Cluster.by_swift() if way == "swift" else Cluster.by_keystone()
    terms = SwiftBackend(Cluster.by_swift()).terms
    store = replace(cluster, credentials=replace(cluster.credentials, key="mistyped")).store(terms)
    with pytest.raises(Unavailable, match="the identity service answers 401") as caught:
        store.usage()
    assert "mistyped" not in str(caught.value)


def test_a_user_who_may_only_read(backend: SwiftBackend) -> None:
    url = put(backend.store, CONTENT)
    container = backend.cluster.container(backend.terms.containers.name)
    container.account.send("POST", container.path(), {"X-Container-Read": "test:reader"})
    credentials = replace(backend.cluster.credentials, user="test:reader", key="reading")
    reader = replace(backend.cluster, credentials=credentials).store(backend.terms)
    assert get(reader, url) == CONTENT
    for call in (lambda: reader.open_writer(new_key(), 1), lambda: reader.delete(url)):
        with pytest.raises(Unavailable, match=r"store swift .* may not do that"):
            call()
    assert get(backend.store, url) == CONTENT
    assert backend.leftovers() == [url.rpartition("/")[2]]


def test_tokens_that_end_meanwhile(backend: SwiftBackend) -> None:
    store, key = backend.store, new_key()
    writer = store.open_writer(key, None)
    for at in range(0, len(LARGE), 2 * MIB):
        writer.write([LARGE[at : at + 2 * MIB]])
        if at == 2 * MIB:
            forget_tokens()
    url = writer.commit()
    forget_tokens()
    reader = store.open_reader(url, 0, len(LARGE))
    forget_tokens()
    assert isinstance(reader, Iterator)
    assert b"".join(reader) == LARGE
    forget_tokens()
    store.delete(url)
    assert backend.leftovers() == []


def test_a_read_that_breaks_goes_on(backend: SwiftBackend, relay: Relay) -> None:
    url = put(backend.store, LARGE)
    relay.cut_after = iter([MIB + 100, 2 * MIB, 1000, 3 * MIB])
    store = through(backend, relay)
    assert get(store, url, 10, len(LARGE) - 10) == LARGE[10:]
    assert relay.connections > 3


def test_a_read_that_does_not_get_on(backend: SwiftBackend, relay: Relay) -> None:
    url = put(backend.store, LARGE)
    relay.cut_after = iter([MIB, *([1] * 30)])
    backend.terms = replace(backend.terms, retries=1)
    reader = through(backend, relay).open_reader(url, 0, len(LARGE))
    assert isinstance(reader, Iterator)
    with pytest.raises(Unavailable):
        list(reader)


def test_an_object_that_changes_while_it_is_read(backend: SwiftBackend, relay: Relay) -> None:
    url = put(backend.store, LARGE)
    relay.cut_after = iter([2 * MIB])
    reader = through(backend, relay).open_reader(url, 0, len(LARGE))
    assert isinstance(reader, Iterator)
    first = next(reader)
    assert LARGE.startswith(first)
    container = backend.cluster.container(backend.terms.containers.name)
    container.account.send("PUT", container.path(url.rpartition("/")[2]), data=bytes(len(LARGE)))
    with pytest.raises(Unavailable, match="the object was changed while it was read"):
        list(reader)


def test_a_write_whose_connection_breaks_is_sent_again(backend: SwiftBackend, relay: Relay) -> None:
    store = through(backend, relay)
    writer = store.open_writer(new_key(), None)
    writer.write([LARGE[: 3 * MIB]])
    relay.break_connections()
    writer.write([LARGE[3 * MIB :]])
    url = writer.commit()
    assert get(backend.store, url) == LARGE


def test_a_server_that_goes_away(backend: SwiftBackend) -> None:
    relay = Relay(backend.cluster.account().storage_url())
    store, key = through(backend, relay), new_key()
    writer = store.open_writer(key, None)
    writer.write([LARGE[: 3 * MIB]])
    relay.cut()
    with pytest.raises(Unavailable):
        writer.commit()
    relay.close()
    backend.store.discard(key)
    assert backend.leftovers() == []


def test_authorities(backend: SwiftBackend, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    relay = Relay(backend.cluster.account().storage_url(), context)
    for access in (Access(ca_file=str(certificate)), Access(insecure=True)):
        store = replace(backend.cluster, access=replace(access, endpoint=relay.url)).store(backend.terms)
        url = put(store, CONTENT)
        assert get(store, url) == CONTENT
        store.delete(url)
    stranger = replace(backend.cluster, access=Access(endpoint=relay.url)).store(backend.terms)
    with pytest.raises(Unavailable, match="its certificate cannot be verified"):
        stranger.usage()
    relay.close()


def test_a_missing_segment(backend: SwiftBackend) -> None:
    url = put(backend.store, LARGE)
    container = backend.cluster.container(backend.terms.containers.name)
    lost = [one.name for one in container.listing("") if one.name.endswith("/00000003")]
    container.delete(lost[0])
    with pytest.raises(Unavailable):
        get(backend.store, url)
    backend.store.delete(url)
    assert backend.leftovers() == []


def test_a_full_account_is_told(backend: SwiftBackend) -> None:
    store = backend.full_store()
    writer = store.open_writer(new_key(), None)
    writer.write([bytes(6 * MIB)])
    with pytest.raises(LimitExceeded):
        writer.commit()
    assert backend.leftovers() == []
    assert store.usage().free == 4 * MIB
