"""Images in the accounts of their projects, and by whose token they are used there."""

from dataclasses import replace
from uuid import uuid4

import pytest

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.swift.account import Access, Container
from glimpse.stores.swift.places import Containers, Credentials, parse
from glimpse.stores.swift.store import SwiftStore, Terms
from tests.backends.swift import MIB, Cluster, forget_tokens, running
from tests.callers import caller, calling
from tests.contract.stores.suite import CONTENT, get, put

pytestmark = pytest.mark.services

LARGE = CONTENT * 8

# One Keystone serves all tests, one after the other.
ACCESS = Access(region="RegionOne", timeout=60)


TERMS = Terms("ref1", Containers(f"projects-{uuid4().hex}", 32), MIB, per_project=True)


@pytest.fixture(scope="module")
def demo() -> Caller:
    return caller(running()["KEYSTONE_URL"], "demo", "demo")


@pytest.fixture(scope="module")
def ordinary() -> SwiftStore:
    """A store whose own user has no rights in accounts of others."""
    return Cluster.by_keystone("service:glance", ACCESS).store(TERMS)


@pytest.fixture(scope="module")
def reseller() -> SwiftStore:
    """A store whose own user may use every account."""
    return Cluster.by_keystone("service:reseller", ACCESS).store(TERMS)


def key_of(who: Caller) -> ObjectKey:
    return ObjectKey(str(uuid4()), uuid4().hex, who.project_id)


def containers() -> list[str]:
    """The containers of the store in the account of the project demo, and what is in them."""
    account = Cluster.by_keystone("demo:demo", ACCESS).account()
    url = account.storage_url()
    found = account.send("GET", f"{url}?prefix={TERMS.containers.name}&format=json").json()
    names = [entry["name"] for entry in found]
    inside = [f"{name}/{one.name}" for name in names for one in Container(account, url, name).listing("")]
    return [*names, *inside]


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["whole", "in segments"])
def test_the_callers_own_account_by_their_own_token(
    ordinary: SwiftStore, demo: Caller, content: bytes
) -> None:
    key = key_of(demo)
    with calling(demo):
        url = put(ordinary, content, key)
        container = f"{TERMS.containers.name}_{key.image_id}"
        assert url.startswith("swift+http://")
        assert url.endswith(f"/v1/AUTH_{demo.project_id}/{container}/{key.image_id}")
        assert ordinary.owns(url)
        assert get(ordinary, url) == content
    with pytest.raises(Unavailable, match="store swift"):
        ordinary.stat(url)
    with calling(demo):
        ordinary.delete(url)
    assert containers() == []


def test_a_role_that_may_not_write_to_swift(ordinary: SwiftStore, reseller: SwiftStore) -> None:
    """The image service's policy lets the user upload: the service does it for them."""
    reader = caller(running()["KEYSTONE_URL"], "demo", "reader")
    with calling(reader), pytest.raises(Unavailable, match="store swift"):
        ordinary.open_writer(key_of(reader), None)
    with calling(reader):
        url = put(reseller, LARGE, key_of(reader))
        assert get(reseller, url) == LARGE
        reseller.delete(url)
    assert containers() == []


def test_a_token_that_ends_in_the_middle(reseller: SwiftStore, demo: Caller) -> None:
    """The service's user goes on."""
    ending = Cluster.by_keystone("demo:demo", ACCESS).account()
    token = replace(demo, token=ending._session.get_token(ending._user))
    with calling(token):
        writer = reseller.open_writer(key_of(demo), None)
        writer.write([LARGE[:MIB]])
        ending.send(
            "DELETE", f"{running()['KEYSTONE_URL']}/auth/tokens", {"X-Subject-Token": token.token or ""}
        )
        forget_tokens()
        writer.write([LARGE[MIB:]])
        url = writer.commit()
        assert get(reseller, url) == LARGE
        reseller.delete(url)
    assert containers() == []


def test_others_and_nobody(reseller: SwiftStore, demo: Caller) -> None:
    """Who is let in by the image service gets the data by the service's user, and so do jobs."""
    key = key_of(demo)
    with calling(demo):
        url = put(reseller, CONTENT, key)
    with calling(caller(running()["KEYSTONE_URL"], "demo2", "demo2")):
        assert get(reseller, url) == CONTENT
    assert get(reseller, url) == CONTENT
    reseller.delete(url)
    with pytest.raises(StoreObjectMissing):
        reseller.delete(url)
    url = put(reseller, LARGE, key)
    assert f"/AUTH_{demo.project_id}/" in url
    reseller.delete(url)
    assert containers() == []


def test_what_the_dead_left_is_removed_without_their_token(reseller: SwiftStore, demo: Caller) -> None:
    key = key_of(demo)
    staged = replace(key, image_id=f"{key.image_id}.staged", attempt="other")
    with calling(demo):
        writer = reseller.open_writer(key, None)
        writer.write([LARGE])
        kept = put(reseller, CONTENT, staged)
    reseller.discard(key)
    with calling(demo), pytest.raises(Conflict):
        writer.commit()
    container = f"{TERMS.containers.name}_{key.image_id}"
    assert containers() == [container, f"{container}/{staged.image_id}"]
    reseller.delete(kept)
    assert containers() == []


def test_projects_of_administrators_may_write(demo: Caller) -> None:
    helper = Cluster.by_keystone("demo2:demo2", ACCESS).account()
    project = str(helper._session.get_project_id(helper._user))
    store = Cluster.by_keystone("service:glance", ACCESS).store(replace(TERMS, admin_projects=(project,)))
    with calling(demo):
        url = put(store, CONTENT, key_of(demo))
    place = parse(url)
    assert Container(helper, place.storage_url or "", place.container).delete(place.name)
    with calling(demo):
        store.discard(ObjectKey(place.name, "any", demo.project_id))
    assert containers() == []


def test_by_swifts_own_authentication() -> None:
    admin = Credentials(running()["SWIFT_AUTH_URL"], "admin:admin", "admin", 1)
    store = replace(Cluster.by_swift(), credentials=admin).store(TERMS)
    url = put(store, LARGE, ObjectKey(str(uuid4()), "attempt", "test"))
    assert "/v1/AUTH_test/" in url
    assert get(store, url) == LARGE
    store.delete(url)
    own = put(store, CONTENT, ObjectKey(str(uuid4()), "attempt"))
    assert "/v1/AUTH_admin/" in own
    store.delete(own)


def test_how_full_the_accounts_are_nobody_knows(ordinary: SwiftStore) -> None:
    assert ordinary.usage() == Usage(None, None)


def test_an_account_whose_url_tells_no_project(demo: Caller) -> None:
    access = replace(ACCESS, endpoint=f"{running()['SWIFT_KEYSTONE_URL']}/v1/AUTH_elsewhere")
    store = Cluster.by_keystone("service:glance", access).store(TERMS)
    with pytest.raises(Unavailable, match="does not end in the id of its project"):
        store.open_writer(key_of(demo), None)
