"""What the handlers of the API get: the parts of the service, and the call that they answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glimpse.access.identity import Identity
from glimpse.api.edge import NO_SCRIPTS, Cors
from glimpse.api.health import NO_STORE_NEEDED, HealthOptions
from glimpse.catalog.catalog import Catalog
from glimpse.domain.caller import Caller
from glimpse.imports.flow import Imports
from glimpse.jobs.engine import Engine
from glimpse.notify.sender import Sender
from glimpse.transfer.cache.cache import Cache
from glimpse.transfer.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decided about the API, by the names of the options."""

    show_image_direct_url: bool = False
    show_multiple_locations: bool = False
    max_request_id_length: int = 64
    enable_proxy_headers_parsing: bool = False
    cors: Cors = NO_SCRIPTS
    health: HealthOptions = NO_STORE_NEEDED
    enable_v1_api: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """The first argument of every handler."""

    catalog: Catalog
    transfer: Transfer
    identity: Identity
    jobs: Engine
    imports: Imports
    public_endpoint: str | None = None
    options: Options = Options()
    cache: Cache | None = None
    notifications: Sender | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be answered: who asks, the variables of the path, the query in order, the body.

    `body` is the parsed JSON document where the operation takes one, else None. `request_id` is the name
    under which the request is known to the client and in the log.
    """

    caller: Caller
    path: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    base_url: str
    body: Any = None
    request_id: str = ""
