"""The policy rules by upstream's names and with its defaults (Glance 2026.2): operators' files carry over."""

from collections.abc import Iterator

_ADMIN = "rule:context_is_admin"
_MEMBER = "role:member and project_id:%(project_id)s"
_ADMIN_OR_MEMBER = f"{_ADMIN} or ({_MEMBER})"
_ADMIN_OR_READER = f"{_ADMIN} or (role:reader and project_id:%(project_id)s)"
_REACHABLE = (
    "(project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s "
    "or 'public':%(visibility)s or 'shared':%(visibility)s)"
)
_MEMBER_REACHES = f"{_ADMIN} or (role:member and {_REACHABLE})"
_SEES_MEMBERS = f"{_ADMIN} or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))"
_OWN_NEW = "role:member and project_id:%(project_id)s and project_id:%(owner)s"

RULES = {
    "default": "",
    "context_is_admin": "role:admin",
    "service_api": "role:service or role:admin",
    "add_image": f"{_ADMIN} or ({_OWN_NEW})",
    "delete_image": _ADMIN_OR_MEMBER,
    "get_image": f"{_ADMIN} or (role:reader and {_REACHABLE})",
    "get_images": _ADMIN_OR_READER,
    "modify_image": _ADMIN_OR_MEMBER,
    "publicize_image": _ADMIN,
    "communitize_image": _ADMIN_OR_MEMBER,
    "download_image": _MEMBER_REACHES,
    "upload_image": _ADMIN_OR_MEMBER,
    "add_member": _ADMIN_OR_MEMBER,
    "delete_member": _ADMIN_OR_MEMBER,
    "get_member": _SEES_MEMBERS,
    "get_members": _SEES_MEMBERS,
    "modify_member": f"{_ADMIN} or (role:member and project_id:%(member_id)s)",
    "deactivate": _ADMIN_OR_MEMBER,
    "reactivate": _ADMIN_OR_MEMBER,
}


def rules() -> Iterator[tuple[str, str]]:
    """Name and default check string of every rule."""
    yield from RULES.items()
