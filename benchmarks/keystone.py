"""The Keystone that both sides ask, when who calls is part of what is measured."""

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import settings
from benchmarks.databases import services


@dataclass(frozen=True, slots=True)
class Member:
    """An ordinary member of a project: the project's id, and a token."""

    project: str
    token: str

    @property
    def headers(self) -> Mapping[str, str]:
        return {"X-Auth-Token": self.token}


class Keystone:
    """A server of our own that `services/up` starts, with the users of `services/keystone-seed.py`."""

    url = f"http://127.0.0.1:{settings.KEYSTONE_PORT}/v3"

    def __init__(self, folder: Path) -> None:
        services("up", "keystone", folder / "services")

    def member(self) -> Member:
        """Signs in."""
        domain = {"id": "default"}
        user = {"name": "demo", "domain": domain, "password": "secret"}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "demo", "domain": domain}}
        document: dict[str, Any] = {"auth": {"identity": identity, "scope": scope}}
        request = urllib.request.Request(
            f"{self.url}/auth/tokens", json.dumps(document).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            project: str = json.load(answer)["token"]["project"]["id"]
            return Member(project, answer.headers["X-Subject-Token"])

    def options(self) -> str:
        """The section by which both sides know it."""
        return (
            f"[keystone_authtoken]\nwww_authenticate_uri = {self.url}\nauth_url = {self.url}\n"
            "auth_type = password\nusername = glance\npassword = secret\nproject_name = service\n"
            "user_domain_id = default\nproject_domain_id = default\n"
        )
