"""The policy rules by upstream's names and with its defaults (Glance 2026.2): operators' files carry over."""

from collections.abc import Iterator

from oslo_policy import policy as oslo_policy

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
_SERVICE = "rule:service_api"
_METADEF_READER = f"{_ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
_METADEF_ADMIN = "rule:metadef_admin"

_IMAGES = {
    "add_image": f"{_ADMIN} or ({_OWN_NEW})",
    "delete_image": _ADMIN_OR_MEMBER,
    "get_image": f"{_ADMIN} or (role:reader and {_REACHABLE})",
    "get_images": _ADMIN_OR_READER,
    "modify_image": _ADMIN_OR_MEMBER,
    "communitize_image": _ADMIN_OR_MEMBER,
    "download_image": _MEMBER_REACHES,
    "upload_image": _ADMIN_OR_MEMBER,
    "get_image_location": _ADMIN_OR_READER,
    "set_image_location": _ADMIN_OR_MEMBER,
    "delete_image_location": _ADMIN,
    "add_member": _ADMIN_OR_MEMBER,
    "delete_member": _ADMIN_OR_MEMBER,
    "get_member": _SEES_MEMBERS,
    "get_members": _SEES_MEMBERS,
    "modify_member": f"{_ADMIN} or (role:member and project_id:%(member_id)s)",
    "deactivate": _ADMIN_OR_MEMBER,
    "reactivate": _ADMIN_OR_MEMBER,
}
_CACHE = dict.fromkeys(("cache_image", "cache_list", "cache_delete", "cache_clean", "cache_prune"), _ADMIN)
_METADEF_READS = {
    "get_metadef_namespaces": _ADMIN_OR_READER,
    **dict.fromkeys(
        (
            "get_metadef_namespace",
            "get_metadef_object",
            "get_metadef_objects",
            "get_metadef_property",
            "get_metadef_properties",
            "get_metadef_tag",
            "get_metadef_tags",
            "list_metadef_resource_types",
            "get_metadef_resource_type",
        ),
        _METADEF_READER,
    ),
}
_METADEF_WRITES = (
    "add_metadef_namespace",
    "modify_metadef_namespace",
    "delete_metadef_namespace",
    "add_metadef_object",
    "modify_metadef_object",
    "delete_metadef_object",
    "add_metadef_property",
    "modify_metadef_property",
    "remove_metadef_property",
    "add_metadef_tag",
    "add_metadef_tags",
    "modify_metadef_tag",
    "delete_metadef_tag",
    "delete_metadef_tags",
    "add_metadef_resource_type_association",
    "remove_metadef_resource_type_association",
)

RULES = {
    "default": "",
    "context_is_admin": "role:admin",
    "service_api": "role:service or role:admin",
    **_IMAGES,
    "publicize_image": _ADMIN,
    "copy_image": _ADMIN,
    "copy_from": "rule:default",
    "download_from_store": _MEMBER_REACHES,
    "add_image_location": f"{_SERVICE} or ({_OWN_NEW})",
    "fetch_image_location": _SERVICE,
    "stores_info_detail": f"{_ADMIN} or {_SERVICE}",
    "manage_image_cache": _ADMIN,
    "list_cached_nodes": _ADMIN,
    **_CACHE,
    "tasks_api_access": _ADMIN,
    **dict.fromkeys(("get_task", "get_tasks", "add_task", "modify_task"), "rule:default"),
    "metadef_default": "",
    "metadef_admin": _ADMIN,
    **_METADEF_READS,
    **dict.fromkeys(_METADEF_WRITES, _METADEF_ADMIN),
}

# What the rule was before, by name and check: it counts beside the new one without `enforce_new_defaults`,
# and where an operator's file still sets it under the old name.
DEPRECATED = {
    **dict.fromkeys(_IMAGES, (None, "rule:default")),
    **dict.fromkeys(_METADEF_READS, (None, "rule:metadef_default")),
    **dict.fromkeys(_CACHE, ("manage_image_cache", _ADMIN)),
    "stores_info_detail": (None, _ADMIN),
}

# The attribute of the target that must be the caller's project, beside the rule, when old defaults count:
# those allow everything, and left it to the service that only the owner of an image changes it.
OWNED = {
    **dict.fromkeys(
        (
            "add_image",
            "delete_image",
            "modify_image",
            "communitize_image",
            "upload_image",
            "set_image_location",
            "delete_image_location",
            "add_member",
            "delete_member",
            "deactivate",
            "reactivate",
        ),
        "owner",
    ),
    "modify_member": "member_id",
}


def rules() -> Iterator[oslo_policy.RuleDefault]:
    """Every rule as oslo.policy registers it. All are for callers with a token of a project."""
    for name, check in RULES.items():
        old_name, old_check = DEPRECATED.get(name, (None, None))
        deprecated = None
        if old_check is not None:
            deprecated = oslo_policy.DeprecatedRule(
                old_name or name, old_check, deprecated_reason="Secure RBAC", deprecated_since="wallaby"
            )
        yield oslo_policy.RuleDefault(name, check, scope_types=["project"], deprecated_rule=deprecated)
