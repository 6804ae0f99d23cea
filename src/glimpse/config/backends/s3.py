"""Stores in a bucket of an S3 server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store

_MIB = 1024 * 1024
_CHECKSUMS = ("when_required", "when_supported")
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}\Z")
_DNS_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
# The client library takes no others, not even with an underscore; or what looks like an IPv6 address.
_HOST = re.compile(r"(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)\Z|[0-9a-f]*:[0-9a-f:.]+\Z")
_REGION = re.compile(r"[A-Za-z0-9-]*\Z")

OPTIONS = (
    cfg.StrOpt("s3_store_host", help="The S3 server; without `http://` or `https://` before it: HTTP."),
    cfg.StrOpt(
        "s3_store_region_name", default="", help="Its region. Default: what an Amazon host's name says."
    ),
    cfg.StrOpt("s3_store_access_key", secret=True, help="The access key."),
    cfg.StrOpt("s3_store_secret_key", secret=True, help="The secret key."),
    cfg.StrOpt("s3_store_bucket", help="The bucket of the images."),
    cfg.BoolOpt(
        "s3_store_create_bucket_on_put",
        default=False,
        help="Make the bucket when an image is written and there is none.",
    ),
    cfg.StrOpt(
        "s3_store_bucket_url_format",
        default="auto",
        help="Where the bucket's name is written: `virtual`, before the host; `path`, behind it; `auto`: "
        "before Amazon's, behind all others.",
    ),
    cfg.IntOpt(
        "s3_store_large_object_size",
        default=10,
        help="From so many MiB on an image is sent in parts; 0: always. Smaller ones are kept in memory as a "
        "whole, so the default is lower than in Glance, where it is 100.",
    ),
    cfg.IntOpt(
        "s3_store_large_object_chunk_size",
        default=10,
        help="The least size of a part in MiB, at least 5. It grows so that 10,000 parts will do.",
    ),
    cfg.IntOpt(
        "s3_store_thread_pools",
        default=4,
        help="How many parts of an image are under way at once. They are kept in memory, so the default is "
        "lower than in Glance, where it is 10.",
    ),
    cfg.StrOpt(
        "s3_store_cacert", default="", help="Authorities that the server's certificate is verified by."
    ),
    cfg.BoolOpt(
        "s3_store_enable_data_integrity_protection",
        default=False,
        help="Heed the two options of checksums; else they are sent and verified only when required.",
    ),
    cfg.StrOpt(
        "s3_store_request_checksum_calculation",
        default="when_required",
        help="When checksums go with what is sent: `when_required` or `when_supported`.",
    ),
    cfg.StrOpt(
        "s3_store_response_checksum_validation",
        default="when_required",
        help="When checksums of what is read are verified: `when_required` or `when_supported`.",
    ),
)


@dataclass(frozen=True, slots=True)
class S3Backend:
    """The server's URL, the bucket, who asks for it, and how images are sent. Sizes are in MiB."""

    url: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = ""
    addressing: str = "auto"
    create_bucket: bool = False
    large_size: int = 10
    part_size: int = 10
    parallel: int = 4
    ca_file: str | None = None
    upload_checksums: str = "when_required"
    download_checksums: str = "when_required"

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.s3.bucket import Endpoint
        from glimpse.stores.s3.store import S3Store
        from glimpse.stores.s3.writer import Cut

        endpoint = Endpoint(
            self.url,
            self.bucket,
            self.access_key,
            self.secret_key,
            region=self.region,
            addressing=self.addressing,
            ca_file=self.ca_file,
            upload_checksums=self.upload_checksums,
            download_checksums=self.download_checksums,
        )
        cut = Cut(self.large_size * _MIB, self.part_size * _MIB, self.parallel)
        return S3Store(store_id, endpoint, cut, create_bucket=self.create_bucket)

    def properties(self) -> Mapping[str, object]:
        """As Glance tells them."""
        return {
            "s3_store_large_object_size": self.large_size,
            "s3_store_large_object_chunk_size": self.part_size,
            "s3_store_thread_pools": self.parallel,
        }


def _read(options: Any, _: cfg.ConfigOpts, __: Path) -> S3Backend:
    upload, download = _checksums(options)
    return S3Backend(
        _url(_given(options, "s3_store_host")),
        _bucket(options),
        _given(options, "s3_store_access_key"),
        _given(options, "s3_store_secret_key"),
        region=_region(options.s3_store_region_name),
        addressing=options.s3_store_bucket_url_format,
        create_bucket=options.s3_store_create_bucket_on_put,
        large_size=_at_least(options, "s3_store_large_object_size", 0),
        part_size=_at_least(options, "s3_store_large_object_chunk_size", 5),
        parallel=_at_least(options, "s3_store_thread_pools", 1),
        ca_file=_file(options, "s3_store_cacert"),
        upload_checksums=upload,
        download_checksums=download,
    )


def _given(options: Any, name: str) -> str:
    value: str = getattr(options, name) or ""
    if not value:
        raise Invalid(name, "it is required by a store of the type s3")
    return value


def _url(host: str) -> str:
    url = (host if "://" in host else f"http://{host}").rstrip("/")
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        known = False
    if not known or not _HOST.match(parts.hostname or "-") or parts.query or parts.fragment:
        raise Invalid("s3_store_host", "it is no host, and no URL of one by http or https")
    if "@" in parts.netloc:
        raise Invalid("s3_store_host", "keys do not belong into it; there are options for them")
    return url


def _region(name: str) -> str:
    if not _REGION.match(name):
        raise Invalid("s3_store_region_name", f"'{name}' cannot be the name of a region")
    return name


def _bucket(options: Any) -> str:
    bucket, style = _given(options, "s3_store_bucket"), options.s3_store_bucket_url_format
    if style not in ("auto", "virtual", "path"):
        raise Invalid("s3_store_bucket_url_format", f"'{style}' is not auto, virtual or path")
    if not _BUCKET.match(bucket):
        raise Invalid("s3_store_bucket", f"'{bucket}' cannot be the name of a bucket")
    if style == "virtual" and not _DNS_NAME.match(bucket):
        raise Invalid("s3_store_bucket", f"'{bucket}' cannot be part of a host's name; use the path format")
    return bucket


def _checksums(options: Any) -> tuple[str, str]:
    names = "s3_store_request_checksum_calculation", "s3_store_response_checksum_validation"
    upload, download = (getattr(options, name).lower() for name in names)
    for name, value in zip(names, (upload, download), strict=True):
        if value not in _CHECKSUMS:
            raise Invalid(name, f"'{value}' is not {' or '.join(_CHECKSUMS)}")
    if not options.s3_store_enable_data_integrity_protection:
        return "when_required", "when_required"
    return upload, download


def _at_least(options: Any, name: str, least: int) -> int:
    value: int = getattr(options, name)
    if value < least:
        raise Invalid(name, f"it must be {least} at least")
    return value


def _file(options: Any, name: str) -> str | None:
    path: str = getattr(options, name)
    if path and not Path(path).is_file():
        raise Invalid(name, f"there is no file {path}")
    return path or None


KIND = Kind("s3", frozenset({"s3", "glance.store.s3.Store"}), OPTIONS, _read)
