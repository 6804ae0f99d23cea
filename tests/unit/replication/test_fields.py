"""What of a document is copied, and what tells two documents apart."""

from typing import Any

import pytest

from glimpse.config.commands import NOT_REPLICATED
from glimpse.replication.fields import Difference, copied, differences, modern, patch

EXCLUDED = frozenset(NOT_REPLICATED.split())
IMAGE: dict[str, Any] = {
    **{"id": "1", "name": "one", "status": "active", "size": 4, "checksum": "c", "virtual_size": 4},
    **{"os_hash_algo": "sha512", "os_hash_value": "h", "tags": ["a", "b"], "disk_format": "raw"},
    **{"created_at": "then", "updated_at": "then", "self": "/v2/images/1", "file": "f", "schema": "s"},
    **{"stores": "one", "direct_url": "file:///1", "locations": [], "owner": None, "min_disk": 0},
    **{"os_glance_importing_to_stores": "", "os_type": "linux"},
}


def test_what_a_service_says_by_itself_is_not_copied() -> None:
    assert copied(IMAGE, EXCLUDED) == {
        **{"id": "1", "name": "one", "tags": ["a", "b"], "disk_format": "raw"},
        **{"min_disk": 0, "os_type": "linux"},
    }


def test_excluded_fields_are_not_copied_but_the_id_is() -> None:
    assert copied(IMAGE, {"id", "name", "os_type", "tags", "min_disk"}) == {"id": "1", "disk_format": "raw"}


def test_a_patch_brings_what_the_target_lacks_and_leaves_what_it_has_besides() -> None:
    target = {**IMAGE, "name": "two", "tags": ["b", "a"], "mine": "x", "disk_format": "qcow2"}
    del target["os_type"]
    source = {**IMAGE, "a/b~c": "d"}
    assert patch(source, target, EXCLUDED) == [
        {"op": "replace", "path": "/name", "value": "one"},
        {"op": "add", "path": "/os_type", "value": "linux"},
        {"op": "add", "path": "/a~1b~0c", "value": "d"},
    ]
    assert patch(source, {**source, "tags": ["b", "a"]}, EXCLUDED) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"created_at": "now", "stores": "two", "virtual_size": 5, "tags": ["b", "a"]}, []),
        ({"name": "two"}, [Difference("name", "one", "two")]),
        ({"status": "queued", "size": None, "checksum": None}, [Difference("status", "active", "queued")]),
        ({"checksum": "d"}, [Difference("checksum", "c", "d")]),
        ({"os_hash_value": "i"}, [Difference("os_hash_value", "h", "i")]),
        ({"os_hash_algo": "sha256", "os_hash_value": "i"}, []),
    ],
)
def test_documents_differ_in_what_matters(changed: dict[str, Any], found: list[Difference]) -> None:
    assert list(differences(IMAGE, {**IMAGE, **changed}, EXCLUDED)) == found


def test_documents_of_the_first_api_are_read() -> None:
    old = {"id": "1", "is_public": False, "properties": {"a": "b"}, "location": "file:///x", "size": 4}
    assert modern(old) == {"id": "1", "a": "b", "size": 4, "visibility": "private"}
    assert modern(IMAGE) is IMAGE
