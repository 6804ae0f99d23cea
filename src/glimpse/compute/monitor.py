"""The monitor of a QEMU process, by its machine protocol QMP; its library is an extra, imported when used."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse.domain.errors import Unavailable

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

_PART = "monitor of the instance"
_SECONDS = 20


@asynccontextmanager
async def connected(socket: Path) -> AsyncIterator["QMPClient"]:
    """A connection to the monitor that listens on a socket. :raises Unavailable: it does not answer."""
    try:
        from qemu.qmp import QMPClient, QMPError
    except ImportError:
        raise Unavailable(_PART, "its library is missing: install glimpse[compute]") from None

    client = QMPClient()
    # The path of a socket may have no more than 107 bytes, so the folder is named by its descriptor.
    folder = os.open(socket.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        async with asyncio.timeout(_SECONDS):
            await client.connect(f"/proc/self/fd/{folder}/{socket.name}")
    except (QMPError, TimeoutError):
        raise Unavailable(_PART, "it does not answer") from None
    finally:
        os.close(folder)
    try:
        yield client
    finally:
        await client.disconnect()


async def execute(client: "QMPClient", command: str, **arguments: object) -> Any:
    """What a command returns. Names of arguments have `_` for `-`.

    :raises Unavailable: it fails, or the monitor goes away.
    """
    from qemu.qmp import QMPError

    try:
        async with asyncio.timeout(_SECONDS):
            return await client.execute(
                command, {name.replace("_", "-"): value for name, value in arguments.items()}
            )
    except TimeoutError:
        raise Unavailable(_PART, f"no answer to {command}") from None
    except QMPError as error:
        raise Unavailable(_PART, str(error)) from None


def tell(socket: Path, command: str) -> None:
    """Have one command done. :raises Unavailable: the monitor does not answer, or it fails."""

    async def _tell() -> None:
        async with connected(socket) as client:
            await execute(client, command)

    asyncio.run(_tell())
