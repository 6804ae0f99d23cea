"""The options of a store of S3."""

from pathlib import Path

import pytest

from glimpse.config.backends.s3 import S3Backend
from glimpse.config.places import StorePlace
from glimpse.config.settings import read_settings
from glimpse.domain.errors import Invalid
from glimpse.stores.s3.store import S3Store

NEEDED = {
    "s3_store_host": "s3.example",
    "s3_store_access_key": "the-access-key",
    "s3_store_secret_key": "the-secret-key",
    "s3_store_bucket": "images",
}


def read(folder: Path, **options: str) -> StorePlace:
    lines = "\n".join(f"{name} = {value}" for name, value in {**NEEDED, **options}.items())
    path = folder / "glance.conf"
    path.write_text(
        f"[DEFAULT]\nenabled_backends = cloud:s3\n[glance_store]\ndefault_backend = cloud\n[cloud]\n{lines}\n"
    )
    settings = read_settings([str(path)], state_dir=folder)
    return settings.stores[0]


def test_what_must_be_given(tmp_path: Path) -> None:
    place = read(tmp_path)
    assert (place.id, place.kind) == ("cloud", "s3")
    assert place.backend == S3Backend("http://s3.example", "images", "the-access-key", "the-secret-key")
    assert place.backend.properties() == {
        "s3_store_large_object_size": 10,
        "s3_store_large_object_chunk_size": 10,
        "s3_store_thread_pools": 4,
    }
    assert "the-" not in repr(place)
    store = place.backend.open("cloud")
    assert isinstance(store, S3Store)
    assert store.owns("s3://s3.example/images/x")


def test_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "ca").touch()
    place = read(
        tmp_path,
        s3_store_host="https://s3.example:444/deep/",
        s3_store_region_name="north",
        s3_store_create_bucket_on_put="true",
        s3_store_bucket_url_format="virtual",
        s3_store_large_object_size="0",
        s3_store_large_object_chunk_size="5",
        s3_store_thread_pools="1",
        s3_store_cacert=str(tmp_path / "ca"),
        s3_store_enable_data_integrity_protection="true",
        s3_store_request_checksum_calculation="WHEN_SUPPORTED",
        s3_store_response_checksum_validation="when_supported",
    )
    assert place.backend == S3Backend(
        "https://s3.example:444/deep",
        "images",
        "the-access-key",
        "the-secret-key",
        region="north",
        addressing="virtual",
        create_bucket=True,
        large_size=0,
        part_size=5,
        parallel=1,
        ca_file=str(tmp_path / "ca"),
        upload_checksums="when_supported",
        download_checksums="when_supported",
    )


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("s3.example", "http://s3.example"),
        ("S3.Example:81/", "http://S3.Example:81"),
        ("127.0.0.1:7480", "http://127.0.0.1:7480"),
        ("[::1]:7480", "http://[::1]:7480"),
        ("https://s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com"),
    ],
)
def test_hosts(tmp_path: Path, written: str, url: str) -> None:
    backend = read(tmp_path, s3_store_host=written).backend
    assert isinstance(backend, S3Backend)
    assert backend.url == url
    assert isinstance(backend.open("cloud"), S3Store)


def test_checksums_need_the_protection_of_integrity(tmp_path: Path) -> None:
    backend = read(tmp_path, s3_store_request_checksum_calculation="when_supported").backend
    assert isinstance(backend, S3Backend)
    assert (backend.upload_checksums, backend.download_checksums) == ("when_required", "when_required")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "") for name in NEEDED),
        ("s3_store_host", "ftp://s3.example"),
        ("s3_store_host", "http://"),
        ("s3_store_host", "https://[::1"),
        ("s3_store_host", "s3.example:port"),
        ("s3_store_host", "s3.example/?x"),
        ("s3_store_host", "https://key:secret@s3.example"),
        ("s3_store_host", "ceph_rgw:7480"),
        ("s3_store_host", "a..b"),
        ("s3_store_bucket", "a/b"),
        ("s3_store_bucket", "a b"),
        ("s3_store_region_name", "north/south"),
        ("s3_store_bucket_url_format", "subdomain"),
        ("s3_store_large_object_size", "-1"),
        ("s3_store_large_object_chunk_size", "4"),
        ("s3_store_thread_pools", "0"),
        ("s3_store_cacert", "/nonexistent/ca"),
        ("s3_store_request_checksum_calculation", "always"),
        ("s3_store_response_checksum_validation", "never"),
    ],
)
def test_what_will_not_do(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(tmp_path, **{name: value})
    assert caught.value.field.endswith(name)


@pytest.mark.parametrize("bucket", ["Images", "a_b", "x", "-ab"])
def test_a_bucket_that_cannot_be_part_of_a_host(tmp_path: Path, bucket: str) -> None:
    with pytest.raises(Invalid):
        read(tmp_path, s3_store_bucket=bucket, s3_store_bucket_url_format="virtual")
    assert read(tmp_path, s3_store_bucket=bucket, s3_store_bucket_url_format="path")
