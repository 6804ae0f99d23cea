import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.records.location_urls import LocationUrls

KEYS = (b"0123456789abcdef", b"0123456789abcdef01234567", b"0123456789abcdef0123456789abcdef")


@given(st.text().map(lambda text: f"x://{text}"), st.sampled_from(KEYS))
def test_what_was_kept_is_read(url: str, key: bytes) -> None:
    urls = LocationUrls(key)
    kept = urls.kept(url)
    assert ":" not in kept
    assert urls.read(kept) == url
    assert urls.kept(url) != kept


@pytest.mark.parametrize(
    ("kept", "url"),
    [
        ("VcTHqJZQhiI9GgJXsuWGe4zFlo8KRiufgWr2y6oO5Hg=", "file:///x"),
        (
            "pAur7hErI_icodqgQSPXgD3k-nwe3drKFCSgI-0NWr40AbH0TWiIeuaOMxpwmTLDNwq6cIlMC9Z0i292jsOPVw==",
            "swift+https://user:se%20cret@host/v1/c/ö",
        ),
    ],
)
def test_what_glance_has_encrypted_is_read(kept: str, url: str) -> None:
    """Both were made by Glance 33.0.0, with the first of the keys."""
    assert LocationUrls(KEYS[0]).read(kept) == url
    assert LocationUrls(KEYS[1]).read(kept) == kept
    assert LocationUrls(None).read(kept) == kept


@pytest.mark.parametrize("text", ["file:///plain", "", "abc", "####", "AAAA", "A" * 44])
def test_what_is_not_encrypted_stays_as_it_is(text: str) -> None:
    assert LocationUrls(KEYS[0]).read(text) == text


def test_without_a_key_nothing_changes() -> None:
    assert LocationUrls(None).kept("file:///x") == "file:///x"
