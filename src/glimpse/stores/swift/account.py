"""Requests to Swift, each by whoever it is made as.

They go over a session of keystoneauth1, which gets tokens, renews them before they end and when they are
refused, finds the account in the catalog, and keeps connections. python-swiftclient gives the older way of
authentication. Its own requests are not used: a connection of it serves one thread at a time, and what it
sends with a known length is read from a file in small pieces, where we have the pieces already.
"""

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import requests
from keystoneauth1 import exceptions
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session, TCPKeepAliveAdapter
from urllib3.exceptions import HTTPError

from glimpse.domain.errors import LimitExceeded, Unavailable
from glimpse.stores.swift.places import Credentials

# What may pass by itself, and is asked again after half a second, and once more after a whole one.
_PASSING = (408, 429, 498, 500, 502, 503, 504)
_RETRIES = 2

# Connections kept to the proxy: as many as requests are under way at once in a busy service.
_CONNECTIONS = 64


Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Access:
    """How an account is found and reached. `endpoint` is the account's URL, if not the catalog's.

    A token is renewed when it has `expire_soon` seconds left. `timeout` bounds every single wait.
    """

    region: str | None = None
    service_type: str = "object-store"
    interface: str = "public"
    endpoint: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    expire_soon: int = 60
    timeout: float = 60


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a cluster says of itself."""

    largest_object: int | None
    # How many segments a static large object may have at once; 0: there are none.
    static_segments: int


@dataclass(eq=False)
class Body:
    """Data to be sent, in pieces that are not copied. It can be sent again; `digest` is of the last time."""

    chunks: Sequence[Buffer]
    digest: str = field(default="", init=False)

    def __len__(self) -> int:
        return sum(map(len, self.chunks))

    def __iter__(self) -> Iterator[Buffer]:
        md5 = hashlib.md5(usedforsecurity=False)
        for chunk in self.chunks:
            md5.update(chunk)
            yield chunk
        self.digest = md5.hexdigest()


class _Token(BaseAuthPlugin):
    """A caller's token. When it is refused, the service's user goes on."""

    def __init__(self, token: str, user: BaseIdentityPlugin) -> None:
        super().__init__()
        self._token: str | None = token
        self._user = user

    def get_token(self, session: Session, **_: Any) -> str | None:
        """The caller's, or the user's."""
        token: str | None = self._token or self._user.get_token(session)
        return token

    def invalidate(self) -> bool:
        """Do not use it again."""
        if self._token is None:
            return bool(self._user.invalidate())
        self._token = None
        return True


class Account:
    """Requests as one user. Nothing is asked of anybody before the first."""

    def __init__(self, part: str, credentials: Credentials, access: Access) -> None:
        self._part = part
        self._access = access
        verify: bool | str = not access.insecure and (access.ca_file or True)
        self._session = Session(
            session=_connections(),
            verify=verify,
            timeout=access.timeout,
            user_agent="glimpse",
            redirect=False,
        )
        self._user = _identity(credentials)
        self._user.MIN_TOKEN_LIFE_SECONDS = access.expire_soon
        # By Swift's own authentication, nobody else tells the project.
        self._project = credentials.user.partition(":")[0] if credentials.version == 1 else None
        self._identity: BaseAuthPlugin = self._user
        self._refusals: tuple[int, ...] = (401,)

    def on_behalf(self, token: str) -> "Account":
        """The same, by a caller's token for as long as Swift takes it, and then as this user."""
        caller = copy.copy(self)
        caller._identity = _Token(token, self._user)
        # Who may not write there is known to the service, which has asked its policy already.
        caller._refusals = (401, 403)
        return caller

    def storage_url(self) -> str:
        """The account's URL. :raises Unavailable: the identity service does not tell."""
        if self._access.endpoint:
            return self._access.endpoint.rstrip("/")
        access = self._access
        url: str | None = None
        with answering(self._part), suppress(exceptions.EndpointNotFound):
            url = self._session.get_endpoint(
                self._user,
                service_type=access.service_type,
                interface=access.interface,
                region_name=access.region,
            )
        if not url:
            where = f"{access.service_type} service" + (f" in {access.region}" if access.region else "")
            raise Unavailable(self._part, f"the catalog has no {access.interface} endpoint of the {where}")
        return url.rstrip("/")

    def project_url(self, project_id: str) -> str:
        """The URL of a project's account, by this user's: they differ in the project alone.

        :raises Unavailable: the URL of this user's account does not end in its project's id.
        """
        url = self.storage_url()
        with answering(self._part):
            own = self._project or self._session.get_project_id(self._user)
        if not own or not url.endswith(own):
            raise Unavailable(self._part, "the URL of the account does not end in the id of its project")
        return url.removesuffix(own) + quote(project_id, safe="")

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        data: Body | bytes | None = None,
        *,
        stream: bool = False,
        retries: int = _RETRIES,
        fine: Sequence[int] = (),
    ) -> requests.Response:
        """An answer of 2xx, or of a status that is `fine`. A `stream` is still to be read.

        :raises LimitExceeded: the cluster, the account or the container is full.
        :raises Unavailable: no answer, or another one.
        """
        with answering(self._part):
            response = self._ask(method, url, headers, data, stream, retries)
            if response.status_code in self._refusals:
                # keystoneauth1 would do it by itself, but gives up when another thread just does so.
                response.close()
                self._session.invalidate(self._identity)
                response = self._ask(method, url, headers, data, stream, retries)
        if response.ok or response.status_code in fine:
            return response
        response.close()
        raise _refused(self._part, response.status_code)

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        data: Body | bytes | None,
        stream: bool,
        retries: int,
    ) -> requests.Response:
        response: requests.Response = self._session.request(
            url,
            method,
            auth=self._identity,
            # Swift compresses nothing; what would, on the way, would only cost time.
            headers={"Accept-Encoding": "identity", **(headers or {})},
            data=data,
            stream=stream,
            raise_exc=False,
            allow_reauth=False,
            log=False,
            connect_retries=retries,
            status_code_retries=retries,
            retriable_status_codes=list(_PASSING),
        )
        return response

    def abilities(self) -> Abilities:
        """What the cluster offers; where it does not tell, the least that every Swift can do."""
        root = self.storage_url().partition("/v1")[0]
        response = self.send("GET", f"{root}/info", fine=range(400, 500))
        try:
            told: Any = response.json() if response.ok else {}
        except ValueError:
            told = {}
        static = told.get("slo", {})
        largest = told.get("swift", {}).get("max_file_size")
        return Abilities(largest, static.get("max_manifest_segments", 1000) if "slo" in told else 0)


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a container lists it."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Container:
    """One container. `url` is its account's."""

    account: Account
    url: str
    name: str

    def path(self, name: str = "", query: str = "") -> str:
        """The URL of the container, or of an object in it."""
        tail = f"/{quote(name)}" if name else ""
        return f"{self.url}/{quote(self.name, safe='')}{tail}{query and '?' + query}"

    def head(self, name: str = "") -> Mapping[str, str] | None:
        """The headers of the container or of an object in it; None: it is not there."""
        response = self.account.send("HEAD", self.path(name), fine=(404,))
        return response.headers if response.ok else None

    def delete(self, name: str, query: str = "") -> bool:
        """Remove an object; False: there is none."""
        response = self.account.send("DELETE", self.path(name, query), fine=(404,))
        return response.ok

    def listing(self, prefix: str) -> Iterator[Listed]:
        """The objects whose names begin so: from all pages, each asked for when it is needed."""
        marker = ""
        while True:
            query = urlencode({"format": "json", "prefix": prefix, "marker": marker})
            response = self.account.send("GET", self.path(query=query), fine=(404,))
            page = json.loads(response.content or b"[]") if response.ok else []
            if not page:
                return
            yield from (Listed(entry["name"], entry["bytes"]) for entry in page)
            marker = page[-1]["name"]


@contextmanager
def answering(part: str) -> Iterator[None]:
    """Errors of the libraries as ours. They may hold URLs, so nothing of their text is kept."""
    try:
        yield
    except exceptions.HttpError as error:
        reason = "it refuses the credentials" if error.http_status in (400, 401, 403) else "it does not work"
        raise Unavailable(part, f"the identity service answers {error.http_status}: {reason}") from None
    except (exceptions.SSLError, requests.exceptions.SSLError):
        raise Unavailable(part, "its certificate cannot be verified") from None
    except (exceptions.ConnectTimeout, requests.exceptions.Timeout):
        raise Unavailable(part, "it does not answer in time") from None
    except (exceptions.ClientException, requests.exceptions.RequestException, HTTPError, OSError) as error:
        raise Unavailable(part, f"the connection failed ({type(error).__name__})") from None


def _refused(part: str, status: int) -> LimitExceeded | Unavailable:
    if status in (413, 507):
        return LimitExceeded("store capacity", 0, None, "bytes")
    if status in (401, 403):
        return Unavailable(part, f"it answers {status}: the configured user may not do that there")
    if status == 404:
        return Unavailable(part, "the container does not exist")
    return Unavailable(part, f"it answers {status}")


def _connections() -> requests.Session:
    session = requests.Session()
    # What is said by the options counts: no proxies, authorities or passwords of the environment.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, TCPKeepAliveAdapter(pool_maxsize=_CONNECTIONS))
    return session


def _identity(credentials: Credentials) -> BaseIdentityPlugin:
    if credentials.version == 1:
        from swiftclient.authv1 import PasswordPlugin

        plugin: BaseIdentityPlugin = PasswordPlugin(
            credentials.auth_address, credentials.user, credentials.key
        )
        return plugin
    address = _keystone(credentials.auth_address)
    if credentials.application_credential_id:
        return v3.ApplicationCredential(
            address,
            application_credential_id=credentials.application_credential_id,
            application_credential_secret=credentials.application_credential_secret or "",
        )
    return v3.Password(
        address,
        username=credentials.user,
        password=credentials.key,
        user_domain_id=credentials.user_domain_id,
        user_domain_name=credentials.user_domain_name,
        project_id=credentials.project_id,
        project_name=credentials.project_name,
        project_domain_id=credentials.project_domain_id,
        project_domain_name=credentials.project_domain_name,
    )


def _keystone(address: str) -> str:
    """The address with the version that is left of Keystone's API, whichever was written."""
    address = address.rstrip("/")
    root, _, last = address.rpartition("/")
    return f"{root if last in ('v2.0', 'v3') else address}/v3"
