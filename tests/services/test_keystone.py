"""Tokens of a real Keystone, through the HTTP face of our `glance-api`."""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.clients.keystone import Keystone, find_keystone, service_address
from tests.clients.process import CHECKOUT, Options, behind, glance_api, merged
from tests.relay import Relay
from tests.server import free_port

pytestmark = pytest.mark.services

# Seconds for which the middleware remembers a token; the least that it knows how to keep.
CACHE = 1
# Seconds for which callers are remembered in front of it.
REMEMBERED = 10

ISSUE = """
import sys
import keystone.conf
from keystone.token import token_formatters
keystone.conf.configure()
keystone.conf.CONF([], default_config_files=[sys.argv[1]])
user, project, until = sys.argv[2:]
print(token_formatters.TokenFormatter().create_token(
    user, until, ["QXVkaXRBdWRpdEF1ZGl0QQ"], token_formatters.ProjectScopedPayload, ["password"],
    project_id=project))
"""


@dataclass
class Service:
    """Our service, its Keystone, and the way between them."""

    url: str
    keystone: Keystone
    relay: Relay

    def ask(self, token: str | None, path: str = "/v2/images", method: str = "GET",
            headers: Mapping[str, str] | None = None, json: object = None) -> httpx.Response:  # fmt: skip
        """One request."""
        given = {**({"X-Auth-Token": token} if token is not None else {}), **(headers or {})}
        return httpx.request(method, f"{self.url}{path}", headers=given, json=json, trust_env=False)

    def create(self, token: str, **attributes: object) -> str:
        """The id of a new image."""
        response = self.ask(token, method="POST", json=attributes)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])


@pytest.fixture(scope="module")
def keystone() -> Keystone:
    found = find_keystone()
    if found is None:
        pytest.skip("Keystone is not running; start it with: make services")
    return found


@contextlib.contextmanager
def running(keystone: Keystone, folder: Path, **authtoken: object) -> Iterator[Service]:
    relay = Relay(keystone.url)
    database: Options = {"database": {"connection": f"sqlite:///{folder / 'glance.db'}"}}
    given: Options = {"keystone_authtoken": {"auth_url": relay.url, **authtoken}}
    groups = merged(behind(keystone.url), database, given)
    with glance_api(folder, free_port(), groups, [["db_sync"]]) as service:
        yield Service(service.url, keystone, relay)
    relay.close()


@pytest.fixture(scope="module")
def service(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(keystone, tmp_path_factory.mktemp("glance"), token_cache_time=CACHE) as service:
        yield service


@pytest.mark.parametrize(
    "token",
    [
        "",
        "forged",
        "gAAAAABm" + "A" * 180,
        "x" * 20_000,
        "..",
        "%0d%0aX-Roles:%20admin",
        "a b",
        "\u00e4".encode("latin-1").decode("latin-1"),
    ],
    ids=["empty", "word", "like a token", "long", "path", "escaped", "blank", "umlaut"],
)
def test_what_is_no_token(service: Service, token: str) -> None:
    headers = {b"X-Auth-Token": token.encode("latin-1")}
    response = httpx.get(f"{service.url}/v2/images", headers=headers, trust_env=False)
    assert response.status_code in (401, 431)
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == f'Keystone uri="{service.keystone.url}"'


def test_a_forged_signature(service: Service) -> None:
    token = service.keystone.token("demo", "demo")
    assert service.ask(token).status_code == 200
    for at in (20, len(token) // 2, len(token) - 10):
        other = "A" if token[at] != "A" else "B"
        assert service.ask(token[:at] + other + token[at + 1 :]).status_code == 401


def test_other_projects_see_nothing(service: Service) -> None:
    image = service.create(service.keystone.token("demo", "demo"), visibility="private")
    for user, project, status in (("reader", "demo", 200), ("demo2", "demo2", 404), ("admin", "admin", 200)):
        token = service.keystone.token(user, project)
        assert service.ask(token, f"/v2/images/{image}").status_code == status


def test_scopes(service: Service) -> None:
    image = service.create(service.keystone.token("demo", "demo"))
    unscoped = service.keystone.token("demo", None)
    system = service.keystone.token("system-admin", None, system=True)
    domain = service.keystone.token("domain-admin", None, domain="default")
    for token in (unscoped, system, domain):
        # None of them is of a project: they own nothing, and administer nothing.
        assert service.ask(token, f"/v2/images/{image}").status_code in (403, 404)
        assert service.ask(token, method="POST", json={"name": "x"}).status_code == 403
        assert service.ask(token, f"/v2/images/{image}", "DELETE").status_code in (403, 404)


@pytest.mark.parametrize("spelling", ["X-{}", "x_{}", "X_{}", "HTTP-X-{}", "X-{} "])
def test_identity_headers_of_clients_have_no_effect(service: Service, spelling: str) -> None:
    image = service.create(service.keystone.token("demo", "demo"), visibility="private")
    claims = {
        "Roles": "admin,service",
        "Role": "admin",
        "Project-Id": service.keystone.project_id("demo"),
        "Tenant-Id": service.keystone.project_id("demo"),
        "User-Id": service.keystone.user_id("admin"),
        "Identity-Status": "Confirmed",
        "Service-Identity-Status": "Confirmed",
        "Service-Roles": "admin,service",
        "Is-Admin-Project": "True",
        "System-Scope": "all",
    }
    headers = {spelling.format(name).strip(): value for name, value in claims.items()}
    token = service.keystone.token("demo2", "demo2")
    assert service.ask(token, f"/v2/images/{image}", headers=headers).status_code == 404
    assert service.ask(token, "/v2/cache", headers=headers).status_code in (403, 404)
    assert service.ask(None, f"/v2/images/{image}", headers=headers).status_code == 401
    reader = service.keystone.token("reader", "demo")
    refused = service.ask(reader, f"/v2/images/{image}", "DELETE", headers)
    assert refused.status_code == 403


def test_access_rules(service: Service) -> None:
    keystone = service.keystone
    rules = [{"service": "image", "method": "GET", "path": "/v2/images"}]
    bound = keystone.credential_token(keystone.make_credential("demo", "demo", rules=rules))
    assert service.ask(bound).status_code == 200
    for path, method in (("/v2/images", "POST"), ("/v2/images/x", "GET"), ("/v2/schemas/image", "GET")):
        assert service.ask(bound, path, method).status_code == 401
    # What one request was allowed does not carry over to the next.
    assert service.ask(bound).status_code == 200


def test_a_revoked_token(service: Service) -> None:
    token = service.keystone.token("demo", "demo")
    assert service.ask(token).status_code == 200
    service.keystone.revoke(token)
    deadline = time.monotonic() + CACHE + REMEMBERED + 5
    while service.ask(token).status_code == 200:
        assert time.monotonic() < deadline, "a revoked token is accepted for longer than is promised"
        time.sleep(0.5)
    assert service.ask(token).status_code == 401


def test_an_expired_token_is_good_only_in_the_hands_of_a_service(service: Service) -> None:
    keystone, place = service.keystone, CHECKOUT / ".services" / "keystone"
    if not (place / "environment").exists():
        pytest.skip("Keystone's keys are not on this machine: start it with: make services")
    late = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() - 60))
    words = [keystone.user_id("demo"), keystone.project_id("demo"), late]
    script: list[str | Path] = [
        place / "environment" / "bin" / "python",
        "-c",
        ISSUE,
        place / "keystone.conf",
        *words,
    ]
    token = subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip()
    assert service.ask(token).status_code == 401
    nova = keystone.token("nova", "service")
    assert service.ask(token, headers={"X-Service-Token": nova}).status_code == 200
    # It is no service that passes it on.
    demo2 = keystone.token("demo2", "demo2")
    assert service.ask(token, headers={"X-Service-Token": demo2}).status_code == 401
    assert service.ask(token, headers={"X-Service-Token": "forged"}).status_code == 401
    assert service.ask(token).status_code == 401


def test_keystone_is_away(keystone: Keystone, tmp_path: Path) -> None:
    with running(keystone, tmp_path) as service:
        token = keystone.token("demo", "demo")
        service.relay.cut()
        response = service.ask(token)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0
        service.relay.join()
        assert service.ask(token).status_code == 200
        service.relay.cut()
        assert service.ask(token).status_code == 200


def test_tokens_are_remembered_in_memcached(keystone: Keystone, tmp_path: Path) -> None:
    address = service_address("MEMCACHED_URL")
    if address is None:
        pytest.skip("memcached is not running; start it with: make services")
    options = {
        "memcached_servers": address,
        "memcache_security_strategy": "ENCRYPT",
        "memcache_secret_key": "x",
    }
    known, fresh = keystone.token("demo", "demo"), keystone.token("reader", "demo")
    with running(keystone, tmp_path / "one", **options) as service:
        assert service.ask(known).status_code == 200
    with running(keystone, tmp_path / "two", **options) as service:
        service.relay.cut()
        assert service.ask(known).status_code == 200
        assert service.ask(fresh).status_code == 503


def test_memcached_is_away(keystone: Keystone, tmp_path: Path) -> None:
    with running(keystone, tmp_path, memcached_servers=f"127.0.0.1:{free_port()}") as service:
        for _ in range(2):
            assert service.ask(keystone.token("demo", "demo")).status_code == 200
