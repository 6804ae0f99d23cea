"""Stores on real S3 servers: Swift's S3 API, and Ceph's object gateway."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.session
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from glimpse.stores.base import Store
from glimpse.stores.s3.bucket import Endpoint
from glimpse.stores.s3.store import S3Store
from glimpse.stores.s3.writer import Cut

MIB = 1024 * 1024
# Swift looks once a minute at how much there is, and refuses by then only what is too large by itself.
_SWIFT_QUOTA = 4 * MIB
_CEPH_QUOTA = 8 * MIB
_SERVICES = Path(__file__).parents[2] / ".services"

# The least parts that S3 knows, so that little data makes several of them.
CUT = Cut(threshold=5 * MIB, part=5 * MIB, parallel=2)


@dataclass(frozen=True)
class Server:
    """A server, its keys, and what `services/up` tells of it besides."""

    name: str
    url: str
    access_key: str
    secret_key: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def endpoint(self, bucket: str) -> Endpoint:
        """The way to a bucket."""
        return Endpoint(self.url, bucket, self.access_key, self.secret_key)

    def client(self) -> Any:
        """A client that is not the store's."""
        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )


def swift(folder: Path = _SERVICES) -> Server | None:
    """Swift, as the folder of the services tells; None: it is not running."""
    facts = _facts(folder, "GLIMPSE_TEST_SWIFT_")
    if "URL" not in facts:
        return None
    return Server("Swift", facts["URL"], facts["USER"], facts["KEY"], facts)


def ceph() -> Server | None:
    """Ceph's object gateway; None: it is not running."""
    facts = _facts(_SERVICES, "GLIMPSE_TEST_CEPH_")
    if "RGW_URL" not in facts:
        return None
    return Server("Ceph", facts["RGW_URL"], facts["RGW_ACCESS_KEY"], facts["RGW_SECRET_KEY"], facts)


def find(name: str) -> Server:
    """A server that runs; skips the test where it does not."""
    server = {"swift": swift, "ceph": ceph}[name]()
    if server is None:
        pytest.skip(f"{name} is not running; start it with: services/up {name}")
    return server


def options() -> str:
    """The options of a store in a bucket of its own; skips the test where no server runs."""
    server = find("swift")
    return "\n".join(
        (
            f"s3_store_host = {server.url}",
            f"s3_store_access_key = {server.access_key}",
            f"s3_store_secret_key = {server.secret_key}",
            f"s3_store_bucket = glimpse-{uuid4().hex}",
            "s3_store_create_bucket_on_put = true",
            "s3_store_large_object_size = 5",
            "s3_store_large_object_chunk_size = 5",
        )
    )


class S3Backend:
    """A bucket, and a small one that is made when it is asked for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.bucket = f"glimpse-{uuid4().hex}"
        self.client = server.client()
        self.client.create_bucket(Bucket=self.bucket)
        self._store = S3Store("s3", server.endpoint(self.bucket), CUT)
        self._full: str | None = None
        self._swift = SwiftAccount(server) if server.name == "Swift" else None

    @property
    def store(self) -> S3Store:
        return self._store

    def full_store(self) -> Store:
        if self._full is None:
            full = f"{self.bucket}-full"
            self.client.create_bucket(Bucket=full)
            self._full = full
            if self._swift is None:
                _limit_ceph(self.server, full)
            else:
                self._swift.make(full, _SWIFT_QUOTA)
                self._swift.make(f"{full}+segments", _SWIFT_QUOTA)
        return S3Store("full", self.server.endpoint(self._full), CUT)

    def truncate(self, url: str, size: int) -> None:
        place = {"Bucket": self.bucket, "Key": url.rpartition("/")[2]}
        content = self.client.get_object(**place)["Body"].read()[:size]
        self.client.put_object(Body=content, **place)

    def leftovers(self) -> Sequence[str]:
        return [name for bucket in self._buckets() for name in self._names(bucket)]

    def close(self) -> None:
        """Remove the buckets and all that is in them."""
        for bucket in self._buckets():
            for entry in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
                place = {"Bucket": bucket, "Key": entry["Key"]}
                self.client.abort_multipart_upload(UploadId=entry["UploadId"], **place)
            for entry in self.client.list_objects_v2(Bucket=bucket).get("Contents", ()):
                self.client.delete_object(Bucket=bucket, Key=entry["Key"])
            with suppress(ClientError):
                self.client.delete_bucket(Bucket=bucket)

    def _buckets(self) -> list[str]:
        return [self.bucket, *([self._full] if self._full else [])]

    def _names(self, bucket: str) -> Iterator[str]:
        for entry in self.client.list_objects_v2(Bucket=bucket).get("Contents", ()):
            yield entry["Key"]
        for entry in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            yield f"upload {entry['UploadId']} of {entry['Key']}"
        if self._swift is not None:
            # Where it keeps the parts.
            yield from self._swift.names(f"{bucket}+segments")


class SwiftAccount:
    """The containers behind the buckets, by Swift's own API."""

    def __init__(self, server: Server) -> None:
        login = {"X-Auth-User": server.access_key, "X-Auth-Key": server.secret_key}
        answer = httpx.get(server.facts["AUTH_URL"], headers=login, trust_env=False).headers
        headers = {"X-Auth-Token": answer["X-Auth-Token"]}
        self._http = httpx.Client(base_url=answer["X-Storage-Url"], headers=headers, trust_env=False)

    def names(self, container: str) -> list[str]:
        """What is in it."""
        answer = self._http.get(f"/{container}")
        return answer.text.split() if answer.status_code == 200 else []

    def make(self, container: str, limit: int) -> None:
        """Make it, or limit one that is there."""
        headers = {"X-Container-Meta-Quota-Bytes": str(limit)}
        self._http.put(f"/{container}", headers=headers).raise_for_status()


def _limit_ceph(server: Server, bucket: str) -> None:
    conf = server.facts["CONF"]
    for command in (["set", f"--max-size={_CEPH_QUOTA}"], ["enable"]):
        scope = ["--quota-scope=bucket", f"--bucket={bucket}"]
        subprocess.run(
            ["radosgw-admin", "-c", conf, "quota", *command, *scope],
            check=True,
            capture_output=True,
        )


def _facts(folder: Path, prefix: str) -> Mapping[str, str]:
    file = folder / "env"
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = (line.partition("=") for line in lines if line.startswith(prefix))
    return {name.removeprefix(prefix): value for name, _, value in pairs}
