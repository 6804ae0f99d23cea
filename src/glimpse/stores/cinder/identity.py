"""As whom Cinder is asked: the store's own account, or whoever calls, by their token."""

from typing import Any

from keystoneauth1.access.service_catalog import ServiceCatalogV3
from keystoneauth1.identity.v3 import ApplicationCredential, Password
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from glimpse.domain.caller import ON_BEHALF_OF
from glimpse.domain.errors import Unavailable
from glimpse.stores.cinder.access import Account

# Endpoints of so many projects are remembered.
_MOST_PROJECTS = 1000


class Identity:
    """As whom the next request is made."""

    def __init__(self, part: str, account: Account) -> None:
        self._part = part
        self._auth_url = account.auth_url.rstrip("/")
        self._own = _plugin(account)
        self._found: dict[str, str] = {}

    def plugin(self) -> BaseAuthPlugin:
        """The account, or the caller. :raises Unavailable: nobody calls, or not by a token for a project."""
        if self._own is not None:
            return self._own
        caller = ON_BEHALF_OF.get()
        if caller is None or not caller.token or not caller.project_id:
            reason = "nobody calls by a token for a project, and it has no account (cinder_store_user_name)"
            raise Unavailable(self._part, reason)
        if len(self._found) > _MOST_PROJECTS:
            self._found.clear()
        return _Caller(caller.token, caller.project_id, f"{self._auth_url}/auth/catalog", self._found)


class _Caller(BaseAuthPlugin):
    """A caller's token, for their project. It is used as it is: Keystone need not give another for it."""

    def __init__(self, token: str, project_id: str, catalog: str, found: dict[str, str]) -> None:
        super().__init__()
        self._token = token
        self._project_id = project_id
        self._catalog = catalog
        self._found = found

    def get_token(self, *_: Any, **__: Any) -> str:
        """The token."""
        return self._token

    def get_project_id(self, *_: Any, **__: Any) -> str:
        """The project's id."""
        return self._project_id

    def get_endpoint(self, session: Session, **wanted: Any) -> str:
        """Where the caller's catalog says that Cinder is: its URL holds the project."""
        if self._project_id not in self._found:
            answer = session.get(self._catalog, headers={"X-Auth-Token": self._token}, authenticated=False)
            names = ("service_type", "service_name", "interface", "region_name")
            terms = {name: wanted.get(name) for name in names}
            catalog = ServiceCatalogV3(answer.json()["catalog"])
            self._found[self._project_id] = str(catalog.url_for(**terms))
        return self._found[self._project_id]


def _plugin(account: Account) -> BaseAuthPlugin | None:
    if account.credential_id:
        return ApplicationCredential(
            account.auth_url,
            application_credential_id=account.credential_id,
            application_credential_secret=account.credential_secret,
        )
    if not account.user_name:
        return None
    return Password(
        account.auth_url,
        username=account.user_name,
        password=account.password,
        user_domain_name=account.user_domain,
        project_name=account.project_name,
        project_domain_name=account.project_domain,
    )
