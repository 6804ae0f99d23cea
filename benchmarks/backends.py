"""One big image into each kind of store and out of it, beside the tool of the backend's own people; and a
disk that is mostly empty.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import databases, processes, servers, settings
from benchmarks.context import Context
from benchmarks.processes import Failed
from benchmarks.report import Sheet
from benchmarks.servers import Side
from benchmarks.settings import GIB, MIB
from benchmarks.transfers import (
    Client,
    cost,
    delete,
    get,
    make_source,
    new_image,
    put,
    touch_memory,
    upload,
    warm_up,
)

BUCKET = "bench"
# The size of Swift's segments, in MiB.
SEGMENT = 200
Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tool:
    """The commands by which a program puts a file, fetches it into another one, and removes it."""

    name: str
    put: Sequence[str]
    get: Sequence[str]
    remove: Sequence[str]


@dataclass(frozen=True, slots=True)
class Backend:
    """A store of both sides: its `scheme`, the servers that `services/up` starts for it, its options, and the
    tool that is as good as it gets.
    """

    scheme: str
    services: Sequence[str]
    options: Callable[[Facts], str]
    tool: Callable[[Facts, Path], Tool]


def rbd_options(facts: Facts) -> str:
    return (
        f"rbd_store_ceph_conf = {facts['CEPH_CONF']}\nrbd_store_pool = {facts['CEPH_POOL']}\n"
        f"rbd_store_user = {facts['CEPH_USER']}\n"
    )


def rbd_tool(facts: Facts, source: Path) -> Tool:
    words = ["rbd", "--conf", facts["CEPH_CONF"], "--id", facts["CEPH_USER"], "--no-progress"]
    name = f"{facts['CEPH_POOL']}/tool"
    fetch = [*words, "export", name, f"{source}.back"]
    return Tool("rbd", [*words, "import", str(source), name], fetch, [*words, "rm", name])


def swift_options(facts: Facts) -> str:
    return (
        f"swift_store_auth_address = {facts['KEYSTONE_URL']}\nswift_store_auth_version = 3\n"
        f"swift_store_user = service:glance\nswift_store_key = secret\nswift_store_region = RegionOne\n"
        f"swift_store_container = {BUCKET}\nswift_store_create_container_on_put = true\n"
        f"swift_store_large_object_size = {SEGMENT}\nswift_store_large_object_chunk_size = {SEGMENT}\n"
    )


def swift_tool(facts: Facts, source: Path) -> Tool:
    words = [str(settings.CHECKOUT / ".venv" / "bin" / "swift"), "--quiet", "-V", "3"]
    words += ["--os-auth-url", facts["KEYSTONE_URL"], "--os-username", "glance", "--os-password", "secret"]
    words += ["--os-project-name", "service", "--os-region-name", "RegionOne"]
    words += ["--os-user-domain-id", "default", "--os-project-domain-id", "default"]
    cut = ["--use-slo", "--segment-size", str(SEGMENT * MIB), "--object-name", "tool"]
    send = [*words, "upload", *cut, "tool", str(source)]
    fetch = [*words, "download", "tool", "tool", "-o", f"{source}.back"]
    return Tool("swift", send, fetch, [*words, "delete", "tool", "tool"])


def s3_options(facts: Facts) -> str:
    return (
        f"s3_store_host = {facts['CEPH_RGW_URL']}\ns3_store_access_key = {facts['CEPH_RGW_ACCESS_KEY']}\n"
        f"s3_store_secret_key = {facts['CEPH_RGW_SECRET_KEY']}\ns3_store_bucket = {BUCKET}\n"
        "s3_store_create_bucket_on_put = true\ns3_store_bucket_url_format = path\n"
    )


def s3_tool(facts: Facts, source: Path) -> Tool:
    python = settings.CHECKOUT / ".bench" / "upstream-environment" / "bin" / "python"
    words = [str(python), "-c", BOTO3, str(source), facts["CEPH_RGW_URL"]]
    words += [facts["CEPH_RGW_ACCESS_KEY"], facts["CEPH_RGW_SECRET_KEY"]]
    return Tool("boto3", [*words, "put"], [*words, "get"], [*words, "remove"])


BOTO3 = """\
import sys
import boto3

path, url, access_key, secret_key, way = sys.argv[1:]
session = boto3.Session(access_key, secret_key, region_name="us-east-1")
s3 = session.client("s3", endpoint_url=url)
if way == "put":
    s3.create_bucket(Bucket="tool")
    s3.upload_file(path, "tool", "tool")
elif way == "get":
    s3.download_file("tool", "tool", path + ".back")
else:
    s3.delete_object(Bucket="tool", Key="tool")
"""

BACKENDS = (
    Backend("rbd", ["ceph"], rbd_options, rbd_tool),
    Backend("swift", ["keystone", "swift"], swift_options, swift_tool),
    Backend("s3", ["ceph"], s3_options, s3_tool),
)


def run(context: Context) -> None:
    """A backend after the other, the sides in turns."""
    chosen = context.chosen
    touch_memory(chosen.stores, 2 * chosen.image_size)
    source = make_source(chosen.stores / "source", chosen.image_size)
    folder = chosen.folder / "services"
    try:
        for backend in BACKENDS:
            for service in backend.services:
                databases.services("up", service, folder, GLIMPSE_SWIFT_DISKS=str(chosen.stores / "swift"))
            facts = read_facts(folder / "env")
            for _ in range(chosen.rounds):
                measure_tool(backend, facts, source, context.sheet)
                for side in context.sides:
                    try:
                        measure(backend, facts, side, source, context.sheet)
                    except Failed as error:
                        context.sheet.note(f"{side.name} on {backend.scheme}: {error}")
        measure_holes(context)
    finally:
        for service in ("ceph", "swift", "keystone"):
            databases.services("down", service, folder)
        source.unlink()


def read_facts(file: Path) -> Facts:
    lines = (line.partition("=") for line in file.read_text().splitlines())
    return {name.removeprefix("GLIMPSE_TEST_"): value for name, _, value in lines}


def measure_tool(backend: Backend, facts: Facts, source: Path, sheet: Sheet) -> None:
    """The backend's own tool, as a process of its own. What is fetched goes into memory."""
    tool = backend.tool(facts, source)
    size = source.stat().st_size
    for way, command in (("upload", tool.put), ("download", tool.get)):
        begun = time.perf_counter()
        processes.run(command)
        seconds = time.perf_counter() - begun
        sheet.add(f"{way}, {backend.scheme}", "s/GiB", tool.name, seconds * GIB / size)
    processes.run(tool.remove)
    source.with_name(f"{source.name}.back").unlink()


def measure(backend: Backend, facts: Facts, side: Side, source: Path, sheet: Sheet) -> None:
    options = f"[glance_store]\nstores = file,{backend.scheme}\ndefault_store = {backend.scheme}\n"
    side.prepare("backends", more=options + backend.options(facts))
    client = Client(servers.start(side, "backends"), side.identity())
    size = source.stat().st_size
    try:
        warm_up(client, source.with_name("warm-up"))
        image = upload(client, source, sheet, f"upload, {backend.scheme}")
        path = f"/v2/images/{image}/file"
        cost(
            client.server.pid,
            client.server.side,
            f"download, {backend.scheme}",
            size,
            sheet,
            lambda: get(client.server.address, path, client.identity, size),
        )
        delete(client, image)
    finally:
        client.server.stop()


def measure_holes(context: Context) -> None:
    """Eight times the size of an image, an eighth of it data, into files: how long, and how much it takes."""
    chosen = context.chosen
    source = chosen.stores / "holes"
    with source.open("wb") as file:
        for _ in range(chosen.image_size // MIB):
            file.write(os.urandom(MIB))
            file.seek(7 * MIB, os.SEEK_CUR)
        file.truncate(8 * chosen.image_size)
    for side in context.sides:
        side.prepare("holes")
        client = Client(servers.start(side, "holes"), side.identity())
        folder = chosen.stores / side.name / "holes"
        try:
            image = new_image(client)
            begun = time.perf_counter()
            put(client, image, source)
            seconds = time.perf_counter() - begun
            context.sheet.add(
                "upload of 8 GiB with 1 GiB of data", "s", side.name, seconds * GIB / chosen.image_size
            )
            stored = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
            context.sheet.add("what it takes in files", "GiB", side.name, stored / chosen.image_size)
            delete(client, image)
        finally:
            client.server.stop()
    source.unlink()
