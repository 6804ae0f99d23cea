"""Who the store is, and where Cinder is."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """Who the store is for Keystone: a user in a project, or an application credential.

    With neither it is whoever calls.
    """

    auth_url: str
    user_name: str | None = None
    password: str = field(default="", repr=False)
    project_name: str | None = None
    user_domain: str = "Default"
    project_domain: str = "Default"
    credential_id: str | None = None
    credential_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where Cinder is: as the catalog says, or by a template."""

    service_type: str = "volumev3"
    service_name: str | None = None
    interface: str = "public"
    region: str | None = None
    template: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    retries: int = 3
