"""The registry's health check: what it says of a database that is away, and of the file that disables it."""

import asyncio
from pathlib import Path

import httpx
from starlette.types import ASGIApp

from glimpse.config.files import Source
from glimpse.records.schema import upgrade
from glimpse.registry.service import create_registry_from
from tests.server import free_port


def registry(folder: Path, url: str) -> ASGIApp:
    path = folder / "glance-registry.conf"
    path.write_text(
        f"[database]\nconnection = {url}\n"
        "[glimpse]\nhealthcheck_remember = 0\n"
        f"[healthcheck]\ndisable_by_file_path = {folder / 'out_of_service'}\n"
    )
    return create_registry_from(Source("glance-registry", (str(path),)))


def health(application: ASGIApp) -> tuple[int, str]:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://registry.test") as client:
            return await client.get("/healthcheck")

    answer = asyncio.run(ask())
    return answer.status_code, answer.text


def test_its_database_answers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    upgrade(url)
    application = registry(tmp_path, url)
    assert health(application) == (200, "OK")
    (tmp_path / "out_of_service").touch()
    assert health(application) == (503, "DISABLED BY FILE")


def test_its_database_is_away(tmp_path: Path) -> None:
    application = registry(tmp_path, f"postgresql+psycopg://glimpse@127.0.0.1:{free_port()}/glimpse")
    assert health(application) == (503, "DATABASE UNAVAILABLE")
