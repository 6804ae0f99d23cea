"""Logging in to Keystone with the `--os-*` options of commands that speak to a service."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keystoneauth1.identity import v3


def password_plugin(said: Mapping[str, Any]) -> "v3.Password":
    """A login by name and password, of the options by their names; domains default to `os_domain_id`."""
    # Imported only when used: it takes a while.
    from keystoneauth1.identity import v3

    domain, url = said["os_domain_id"], str(said["os_auth_url"]).rstrip("/")
    return v3.Password(
        url if url.endswith("/v3") else f"{url}/v3",
        username=said["os_username"],
        password=said["os_password"],
        project_id=said["os_project_id"],
        project_name=said["os_project_name"],
        user_domain_id=said["os_user_domain_id"] or domain,
        project_domain_id=None if said["os_project_id"] else said["os_project_domain_id"] or domain,
    )
