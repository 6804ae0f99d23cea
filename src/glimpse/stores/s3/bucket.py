"""A bucket of an S3 server: the calls that are made to it, with errors of ours."""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from glimpse.domain.errors import Unavailable

# A read that breaks is begun again where it broke, so often without a byte in between.
_RETRIES = 3

_READ_BYTES = 1024 * 1024
_AMAZON = re.compile(r"(?:.+\.)?s3[.-](?:dualstack\.)?(?:([a-z0-9-]+)\.)?amazonaws\.com(?:\.cn)?\Z")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/\d+\Z", re.ASCII)

# What an answer calls the place where the next page of a list begins, without the word Next.
OBJECTS = ("ContinuationToken",)
UPLOADS = ("KeyMarker", "UploadIdMarker")

_FULL = frozenset(
    {"EntityTooLarge", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "507"}
)
# Servers tell in different words that an upload has ended: Ceph does not find its parts, Swift its record.
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchUpload", "InvalidPart", "InvalidRange", "416"})
_DIFFERENT = frozenset({"412", "PreconditionFailed", "BucketAlreadyOwnedByYou"})
_REASONS: Mapping[str, str] = {
    "AccessDenied": "access to the bucket '{bucket}' is denied",
    "403": "access to the bucket '{bucket}' is denied",
    "InvalidAccessKeyId": "the access key or the secret key is wrong",
    "SignatureDoesNotMatch": "the access key or the secret key is wrong",
    "RequestTimeTooSkewed": "the clocks of this machine and of the server differ",
    "PermanentRedirect": "the bucket '{bucket}' is in another region",
    "AuthorizationHeaderMalformed": "the bucket '{bucket}' is in another region",
    "BucketAlreadyExists": "the bucket '{bucket}' belongs to somebody else",
    "InvalidBucketName": "'{bucket}' cannot be the name of a bucket",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a bucket is, and who asks for it.

    :param url: the server's, with its scheme.
    :param region: empty: what the name of an Amazon host says, else `us-east-1`.
    :param addressing: `path`, `virtual` (the bucket is part of the host's name), or `auto`.
    :param ca_file: the authorities that HTTPS is verified by; None: those that the client library brings.
    :param upload_checksums, download_checksums: `when_required` or `when_supported`.
    :param connect_seconds, answer_seconds: how long the server may take to connect, and to say something.
    """

    url: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = ""
    addressing: str = "auto"
    ca_file: str | None = None
    upload_checksums: str = "when_required"
    download_checksums: str = "when_required"
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0

    @property
    def amazon_region(self) -> str | None:
        """The region that the host's name tells; None: it is not one of Amazon."""
        match = _AMAZON.match(urlsplit(self.url).hostname or "")
        return None if match is None else match.group(1) or "us-east-1"


class Absent(Exception):
    """The object or the upload is not there, or the object has no such bytes."""


class Different(Exception):
    """The object is not as the call demands it to be."""


class Full(Exception):
    """The server takes no more."""


class NoBucket(Unavailable):
    """The bucket does not exist."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object's size and its metadata."""

    size: int
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Body:
    stream: Any
    version: str


class Bucket:
    """A bucket. Nothing is asked of the server before the first call; all may be made from any thread.

    Every call raises `Unavailable` when the server does not answer in time or refuses, for a reason in plain
    words without secrets.
    """

    def __init__(self, store_id: str, endpoint: Endpoint) -> None:
        self._part = f"store {store_id}"
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._client: Any = None

    def create(self) -> None:
        """Make the bucket, unless it is there."""
        region = self._endpoint.region or self._endpoint.amazon_region or "us-east-1"
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with suppress(Different):
            self._call("create_bucket", **place)

    def check(self) -> None:
        """:raises NoBucket: the bucket does not exist."""
        try:
            self._call("head_bucket")
        except Absent:
            raise self._no_bucket() from None

    def head(self, name: str) -> Found:
        """:raises Absent: there is no such object, or no bucket: this call's answer does not tell."""
        answer = self._call("head_object", Key=name)
        return Found(answer["ContentLength"], answer["Metadata"])

    def put(self, name: str, content: bytes | bytearray, metadata: Mapping[str, str]) -> None:
        """Write an object. :raises Different: there is one. :raises Full: it does not fit."""
        self._call("put_object", Key=name, Body=content, Metadata=metadata, IfNoneMatch="*")

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        with suppress(Absent):
            self._call("delete_object", Key=name)

    def names(self, prefix: str) -> list[str]:
        """The objects whose names begin so."""
        pages = self._pages("list_objects_v2", "Contents", OBJECTS, Prefix=prefix)
        return [entry["Key"] for entry in pages]

    def begin_upload(self, name: str, metadata: Mapping[str, str]) -> str:
        """Begin an object in parts, and return the upload's id."""
        answer = self._call("create_multipart_upload", Key=name, Metadata=metadata)
        return str(answer["UploadId"])

    def upload_part(self, name: str, upload: str, number: int, content: bytes | bytearray) -> str:
        """Write a part, and return its tag. :raises Absent: the upload has ended. :raises Full: no room."""
        answer = self._call("upload_part", Key=name, UploadId=upload, PartNumber=number, Body=content)
        return str(answer["ETag"])

    def complete_upload(self, name: str, upload: str, tags: list[str]) -> None:
        """Make the object of its parts.

        :raises Absent: the upload has ended, perhaps so. :raises Different: there is such an object.
        """
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        self._call(
            "complete_multipart_upload",
            Key=name,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            IfNoneMatch="*",
        )

    def abort_upload(self, name: str, upload: str) -> None:
        """End an upload without an object, if it has not ended."""
        with suppress(Absent):
            self._call("abort_multipart_upload", Key=name, UploadId=upload)

    def uploads(self, name: str) -> list[str]:
        """The uploads of that object which have not ended."""
        pages = self._pages("list_multipart_uploads", "Uploads", UPLOADS, Prefix=name)
        return [entry["UploadId"] for entry in pages if entry["Key"] == name]

    def read(self, name: str, offset: int, length: int) -> Iterator[bytes]:
        """Bytes `offset` to `offset + length`, at least one, of one version of the object.

        The answer has begun when this function returns. A read that breaks goes on where it broke.

        :raises Absent: no such object, or it has fewer bytes.
        """
        chunks = self._read(name, offset, offset + length)
        return chain((next(chunks),), chunks)

    def _read(self, name: str, at: int, end: int) -> Iterator[bytes]:
        body, failures = self._range(name, at, end), 0
        while True:
            with closing(body.stream), suppress(BotoCoreError, HTTPClientError, OSError):
                while at < end and (chunk := body.stream.read(min(_READ_BYTES, end - at))):
                    at += len(chunk)
                    failures = 0
                    yield chunk
            if at == end:
                return
            failures += 1
            if failures > _RETRIES:
                raise Unavailable(self._part, "the connection breaks while an image is read")
            body = self._range_again(name, at, end, body.version)

    def _range(self, name: str, at: int, end: int, **conditions: str) -> _Body:
        answer = self._call("get_object", Key=name, Range=f"bytes={at}-{end - 1}", **conditions)
        match = _CONTENT_RANGE.match(answer.get("ContentRange", ""))
        if match is None or (int(match[1]), int(match[2])) != (at, end - 1):
            answer["Body"].close()
            if match is not None and int(match[1]) == at:
                raise Absent
            raise Unavailable(self._part, "it sends another range than was asked for")
        return _Body(answer["Body"], answer["ETag"])

    def _range_again(self, name: str, at: int, end: int, version: str) -> _Body:
        try:
            return self._range(name, at, end, IfMatch=version)
        except (Absent, Different):
            raise Unavailable(self._part, "an image was removed while it was read") from None

    def _pages(
        self, operation: str, entries: str, markers: tuple[str, ...], **arguments: object
    ) -> Iterator[Any]:
        answer = self._call(operation, **arguments)
        yield from answer.get(entries, ())
        while answer.get("IsTruncated"):
            arguments |= {marker: answer[f"Next{marker}"] for marker in markers}
            answer = self._call(operation, **arguments)
            yield from answer.get(entries, ())

    def _call(self, operation: str, **arguments: object) -> Any:
        try:
            return getattr(self._connected(), operation)(Bucket=self._endpoint.bucket, **arguments)
        except ClientError as error:
            raise self._refused(error) from None
        except (BotoCoreError, HTTPClientError) as error:
            raise Unavailable(self._part, _trouble(error)) from None

    def _refused(self, error: ClientError) -> Exception:
        code = str(error.response["Error"].get("Code", ""))
        if code in _FULL or error.response["ResponseMetadata"].get("HTTPStatusCode") == 507:
            return Full()
        if code in _ABSENT:
            return Absent()
        if code in _DIFFERENT:
            return Different()
        if code == "NoSuchBucket":
            return self._no_bucket()
        reason = _REASONS.get(code, f"it answers '{code}'")
        return Unavailable(self._part, reason.format(bucket=self._endpoint.bucket))

    def _no_bucket(self) -> NoBucket:
        return NoBucket(self._part, f"the bucket '{self._endpoint.bucket}' does not exist")

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._endpoint)
            return self._client


def _client(endpoint: Endpoint) -> Any:
    """A client that follows `endpoint` alone: no profile, file or proxy that the environment names."""
    nothing, no_file = (None, None, None, None), (None, None, os.devnull, None)
    session = botocore.session.Session(
        session_vars={
            "profile": nothing,
            "ca_bundle": nothing,
            "config_file": no_file,
            "credentials_file": no_file,
        }
    )
    amazon = endpoint.amazon_region
    style = endpoint.addressing
    if style == "auto":
        style = "virtual" if amazon and "." not in endpoint.bucket else "path"
    return session.create_client(
        "s3",
        endpoint_url=endpoint.url,
        region_name=endpoint.region or amazon or "us-east-1",
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        verify=endpoint.ca_file or True,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": style},
            connect_timeout=endpoint.connect_seconds,
            read_timeout=endpoint.answer_seconds,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=64,
            tcp_keepalive=True,
            proxies={},
            request_checksum_calculation=endpoint.upload_checksums,
            response_checksum_validation=endpoint.download_checksums,
        ),
    )


def _trouble(error: Exception) -> str:
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return "it does not answer in time"
    if isinstance(error, SSLError):
        return "its certificate cannot be verified"
    return f"the connection failed ({type(error).__name__})"
