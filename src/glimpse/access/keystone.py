"""Who is calling, by a token of Keystone: keystonemiddleware decides, off the event loop.

Its own cache (memcached, or the process's memory) answers for tokens that it has seen within
`token_cache_time`, also while Keystone is away. In front of it the callers of the last seconds are
remembered, since the middleware takes a millisecond even for a token that it knows.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import webob
from keystoneauth1.exceptions import ClientException
from keystonemiddleware.auth_token import AuthProtocol, list_opts
from oslo_config import cfg

from glimpse.domain.caller import Caller, Endpoint
from glimpse.domain.errors import Unauthenticated, Unavailable

# A revoked token is accepted at most this much longer than the middleware's cache accepts it.
REMEMBER_SECONDS = 10.0
REMEMBER_CALLERS = 4096

# How long Keystone may take to answer, in seconds, when `http_connect_timeout` does not say.
PATIENCE_SECONDS = 10
# So many tokens are validated at once.
THREADS = 8

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}\Z")
_ANONYMOUS = Caller(read_only=True)

# By oslo.policy's names: what rules may ask besides the caller's own fields.
_CREDENTIALS = {
    "user_domain_id": "HTTP_X_USER_DOMAIN_ID",
    "project_domain_id": "HTTP_X_PROJECT_DOMAIN_ID",
    "is_admin_project": "HTTP_X_IS_ADMIN_PROJECT",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """A caller, and until when the token that named them need not be looked at again (monotonic seconds)."""

    caller: Caller
    until: float


class KeystoneIdentity:
    """Tokens of Keystone, in the headers X-Auth-Token and X-Service-Token.

    Headers like X-Roles or X-Identity-Status that a client sends itself are not looked at.
    """

    def __init__(
        self, config: cfg.ConfigOpts, is_admin: Callable[[Caller], bool], *, allow_anonymous: bool = False
    ) -> None:
        self._middleware: Any = AuthProtocol(_accept, _middleware_options(config))  # type: ignore[no-untyped-call]
        group = config.keystone_authtoken
        public = group.www_authenticate_uri or getattr(group, "auth_url", "")
        self.challenge = f'Keystone uri="{public}"'
        self._is_admin = is_admin
        self._allow_anonymous = allow_anonymous
        self._threads = ThreadPoolExecutor(THREADS, "keystone")
        self._salt = secrets.token_bytes(16)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._checks: dict[bytes, asyncio.Task[Caller]] = {}

    async def caller(self, method: str, path: str, headers: Mapping[str, str]) -> Caller:
        """See `Identity.caller`. :raises Unavailable: Keystone does not answer, and must be asked."""
        token = headers.get("x-auth-token") or headers.get("x-storage-token") or ""
        service_token = headers.get("x-service-token") or ""
        if not token:
            if self._allow_anonymous:
                return _ANONYMOUS
            raise Unauthenticated
        key = hashlib.blake2b(f"{token}\n{service_token}".encode(), key=self._salt).digest()
        known = self._known.get(key)
        if known is not None and time.monotonic() < known.until:
            return known.caller
        return await self._check(key, _Question(method, path, token.strip(), service_token.strip()))

    async def _check(self, key: bytes, question: "_Question") -> Caller:
        # Many requests may bring the same new token at once: it is checked once for those with the same path.
        flight = hashlib.blake2b(f"{question.method} {question.path}".encode(), key=key).digest()
        check = self._checks.get(flight)
        if check is None:
            check = asyncio.create_task(self._learn(key, question))
            self._checks[flight] = check
            check.add_done_callback(lambda _: self._checks.pop(flight, None))
        return await asyncio.shield(check)

    async def _learn(self, key: bytes, question: "_Question") -> Caller:
        loop = asyncio.get_running_loop()
        environ = await loop.run_in_executor(self._threads, self._ask, question)
        token: Mapping[str, Any] = environ["keystone.token_info"]["token"]
        caller = _caller(environ, question.token)
        caller = replace(caller, is_admin=self._is_admin(caller), image_endpoints=_image_endpoints(token))
        if not _has_access_rules(token):
            until = time.monotonic() + min(REMEMBER_SECONDS, _seconds_left(token))
            self._known[key] = _Known(caller, until)
            while len(self._known) > REMEMBER_CALLERS:
                self._known.popitem(last=False)
        return caller

    def _ask(self, question: "_Question") -> dict[str, Any]:
        """The WSGI environment as the middleware leaves it for the application behind it."""
        if not _TOKEN.match(question.token) or not _TOKEN.match(question.service_token or "-"):
            raise Unauthenticated
        request: Any = webob.Request.blank(  # type: ignore[no-untyped-call]
            quote(question.path), method=question.method
        )
        request.headers["X-Auth-Token"] = question.token
        if question.service_token:
            request.headers["X-Service-Token"] = question.service_token
        try:
            status = request.get_response(self._middleware).status_int
        except ClientException as error:
            raise Unavailable("identity service", type(error).__name__) from error
        if status == 401:
            raise Unauthenticated
        if status != 200:
            raise Unavailable("identity service", "it does not answer")
        return dict(request.environ)


@dataclass(frozen=True, slots=True)
class _Question:
    """What the middleware is asked about: access rules of application credentials name method and path."""

    method: str
    path: str
    token: str
    service_token: str


def _accept(environ: Mapping[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    """The WSGI application behind the middleware: it is only reached with a valid token."""
    del environ
    start_response("200 OK", [("Content-Length", "0")])
    return []


def _middleware_options(config: cfg.ConfigOpts) -> dict[str, object]:
    """What the middleware is told besides the file: names win over the section [keystone_authtoken]."""
    for group, known in list_opts():  # type: ignore[no-untyped-call]
        config.register_opts(known, group=group)
    options: dict[str, object] = {"oslo_config_config": config, "delay_auth_decision": False}
    # Access rules of application credentials name the type of the service that they are for.
    defaults = {"service_type": "image", "http_connect_timeout": PATIENCE_SECONDS}
    return options | {name: value for name, value in defaults.items() if not config.keystone_authtoken[name]}


def _caller(environ: Mapping[str, Any], token: str) -> Caller:
    return Caller(
        user_id=environ.get("HTTP_X_USER_ID"),
        project_id=environ.get("HTTP_X_PROJECT_ID"),
        roles=_names(environ.get("HTTP_X_ROLES")),
        service_roles=_names(environ.get("HTTP_X_SERVICE_ROLES")),
        system_scope=environ.get("HTTP_OPENSTACK_SYSTEM_SCOPE"),
        domain_id=environ.get("HTTP_X_DOMAIN_ID"),
        credentials=tuple((name, environ[key]) for name, key in _CREDENTIALS.items() if environ.get(key)),
        token=token,
    )


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in (text or "").split(",") if name.strip())


def _image_endpoints(token: Mapping[str, Any]) -> tuple[Endpoint, ...]:
    """What the catalogue in a token says of image services."""
    return tuple(
        Endpoint(str(found.get("region")), str(found.get("interface")), str(found.get("url")))
        for service in token.get("catalog") or ()
        if service.get("type") == "image"
        for found in service.get("endpoints") or ()
    )


def _has_access_rules(token: Mapping[str, Any]) -> bool:
    return (token.get("application_credential") or {}).get("access_rules") is not None


def _seconds_left(token: Mapping[str, Any]) -> float:
    expires_at = datetime.fromisoformat(token["expires_at"])
    return expires_at.timestamp() - time.time()
