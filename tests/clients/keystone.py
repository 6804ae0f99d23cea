"""The Keystone that `make services` starts: tokens, and the projects, users and limits that a test makes."""

import contextlib
import functools
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

_SERVICES = Path(__file__).resolve().parents[2] / ".services" / "env"
PASSWORD = "secret"
DOMAIN = {"id": "default"}


@dataclass(frozen=True)
class Credential:
    """An application credential."""

    id: str
    secret: str


@dataclass
class Keystone:
    """Keystone at `url`. Its catalog may name several image services: one in each region.

    It has these users, all with the password "secret": admin (project admin); glance and nova (project
    service, roles admin and service); demo (member), manager and reader (project demo); demo2 (project demo2,
    member); system-admin, system-reader; domain-admin and domain-reader (domain default).
    """

    url: str
    region: str = "RegionOne"

    def token(self, user: str = "admin", project: str | None = "admin", *, system: bool = False,
              domain: str | None = None) -> str:  # fmt: skip
        """A new token for a project (by name or id), for the system, for a domain (by id), or unscoped."""
        scope: Any = {"project": self._project_reference(project)} if project else None
        if system:
            scope = {"system": {"all": True}}
        elif domain:
            scope = {"domain": {"id": domain}}
        person = {"name": user, "domain": DOMAIN, "password": PASSWORD}
        return self._issue({"methods": ["password"], "password": {"user": person}}, scope)

    def credential_token(self, credential: Credential) -> str:
        """A new token by an application credential."""
        words = {"id": credential.id, "secret": credential.secret}
        return self._issue({"methods": ["application_credential"], "application_credential": words}, None)

    def _project_reference(self, project: str) -> Any:
        with contextlib.suppress(ValueError):
            return {"id": uuid.UUID(project).hex}
        return {"name": project, "domain": DOMAIN}

    def _issue(self, identity: Any, scope: Any) -> str:
        body = {"identity": identity} | ({"scope": scope} if scope else {})
        answer = self._send("POST", "/auth/tokens", {"auth": body}, {})
        return answer.headers["X-Subject-Token"]

    def describe(self, token: str) -> Any:
        """What Keystone says about a token."""
        headers = {"X-Auth-Token": self._admin, "X-Subject-Token": token}
        return self._send("GET", "/auth/tokens", None, headers).json()["token"]

    def revoke(self, token: str) -> None:
        """The token holds no more."""
        headers = {"X-Auth-Token": self._admin, "X-Subject-Token": token}
        self._send("DELETE", "/auth/tokens", None, headers)

    def project_id(self, name: str) -> str:
        """The id of a project of the default domain."""
        return self._find("project", name=name)

    def user_id(self, name: str) -> str:
        """The id of a user of the default domain."""
        return self._find("user", name=name)

    def make_project(self, name: str | None = None) -> str:
        """The id of a new project; its name is new too unless it is given."""
        return self._make("project", name=name or unique("project"), domain_id="default")

    def make_role(self, name: str | None = None) -> str:
        """The name of a new role."""
        name = name or unique("role")
        self._make("role", name=name)
        return name

    def make_user(self, project: str, *roles: str) -> str:
        """The name of a new user who has these roles in the project (by id)."""
        name = unique("user")
        self._make("user", name=name, domain_id="default", password=PASSWORD)
        for role in roles:
            self.grant(name, project, role)
        return name

    def grant(self, user: str, project: str, role: str) -> None:
        """The user (by name) gets the role (by name) in the project (by id)."""
        role_id = self._find("role", name=role)
        self.call("PUT", f"/projects/{project}/users/{self.user_id(user)}/roles/{role_id}")

    def make_credential(self, user: str, project: str, *, rules: Iterable[Mapping[str, str]] = (),
                        expires_at: str | None = None) -> Credential:  # fmt: skip
        """An application credential of a user; `rules` have the fields service, method and path."""
        fields: dict[str, Any] = {"name": unique("credential"), "expires_at": expires_at}
        if rules:
            fields["access_rules"] = [dict(rule) for rule in rules]
        path = f"/users/{self.user_id(user)}/application_credentials"
        headers = {"X-Auth-Token": self.token(user, project)}
        made = self._send("POST", path, {"application_credential": fields}, headers).json()[
            "application_credential"
        ]
        return Credential(made["id"], made["secret"])

    def image_endpoint_id(self) -> str:
        """The id of the public endpoint of the image service, by which oslo.limit knows it."""
        service = self._find("service", type="image")
        return self._find("endpoint", service_id=service, interface="public", region_id=self.region)

    @contextlib.contextmanager
    def own_region(self) -> Iterator["Keystone"]:
        """Keystone with a new region, where nothing is but itself."""
        region = unique("region")
        self.call("POST", "/regions", {"region": {"id": region}})
        own = replace(self, region=region)
        try:
            with own.endpoints("identity", self.url):
                yield own
        finally:
            self.call("DELETE", f"/regions/{region}")

    @contextlib.contextmanager
    def endpoints(self, service_type: str, url: str) -> Iterator[None]:
        """The catalog says that a service is at this URL in the region."""
        common = {
            "service_id": self._find("service", type=service_type),
            "region_id": self.region,
            "url": url,
        }
        with contextlib.ExitStack() as made:
            for interface in ("public", "internal", "admin"):
                identity = self._make("endpoint", interface=interface, **common)
                made.callback(self.call, "DELETE", f"/endpoints/{identity}")
            yield

    @contextlib.contextmanager
    def registered_limits(self, **limits: int) -> Iterator[None]:
        """Limits of the image service that hold for every project, such as image_count_total=10."""
        common = self._limited
        rows = [{**common, "resource_name": name, "default_limit": value} for name, value in limits.items()]
        with self._rows("registered_limit", rows):
            yield

    @contextlib.contextmanager
    def project_limits(self, project: str, **limits: int) -> Iterator[None]:
        """Limits of one project (by id). Each must be registered."""
        common = {**self._limited, "project_id": project}
        rows = [{**common, "resource_name": name, "resource_limit": value} for name, value in limits.items()]
        with self._rows("limit", rows):
            yield

    @contextlib.contextmanager
    def _rows(self, kind: str, rows: list[dict[str, Any]]) -> Iterator[None]:
        names = {(row["resource_name"], row.get("project_id")) for row in rows}
        for old in self.call("GET", f"/{kind}s")[f"{kind}s"]:  # of a test that was killed
            if (old["resource_name"], old.get("project_id")) in names:
                self.call("DELETE", f"/{kind}s/{old['id']}")
        made = self.call("POST", f"/{kind}s", {f"{kind}s": rows})[f"{kind}s"]
        try:
            yield
        finally:
            for row in made:
                self.call("DELETE", f"/{kind}s/{row['id']}")

    @property
    def _limited(self) -> dict[str, str]:
        return {"service_id": self._find("service", type="image"), "region_id": self.region}

    def _find(self, kind: str, **fields: str) -> str:
        found = self.call("GET", f"/{kind}s?{httpx.QueryParams(fields)}")[f"{kind}s"]
        identity: str = found[0]["id"]
        return identity

    def _make(self, kind: str, **fields: Any) -> str:
        identity: str = self.call("POST", f"/{kind}s", {kind: fields})[kind]["id"]
        return identity

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What Keystone answers the administrator; a refusal is an error of httpx."""
        answer = self._send(method, path, body, {"X-Auth-Token": self._admin})
        return answer.json() if answer.content else None

    @functools.cached_property
    def _admin(self) -> str:
        return self.token()

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.request(
                method, self.url + path, json=body, headers=dict(headers)
            ).raise_for_status()


def unique(kind: str) -> str:
    """A name that nobody has."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def find_keystone() -> Keystone | None:
    """The one that `make services` has started, if it answers."""
    url = service_address("KEYSTONE_URL")
    if url is None:
        return None
    try:
        httpx.get(url, trust_env=False, timeout=10).raise_for_status()
    except httpx.HTTPError:
        return None
    return Keystone(url)


def service_address(name: str) -> str | None:
    """What `services/up` has published as GLIMPSE_TEST_`name`; the environment goes before it."""
    name = f"GLIMPSE_TEST_{name}"
    lines = _SERVICES.read_text().splitlines() if _SERVICES.exists() else []
    published = dict(line.split("=", 1) for line in lines if "=" in line)
    return os.environ.get(name) or published.get(name)


def variables(keystone: Keystone, user: str = "admin", project: str = "admin") -> dict[str, str]:
    """The variables by which the openstack clients sign in."""
    return {
        "OS_AUTH_URL": keystone.url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": user,
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": keystone.region,
    }
