"""What openstacksdk does by a catalog. Run as: program, case, URL of Keystone, region, file of an image."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import openstack
import openstack.exceptions

Connection = Any
Connect = Callable[..., Connection]


def upload_and_download(connect: Connect, disk: Path) -> None:
    demo = connect("demo", "demo")
    name = f"file-{uuid4()}"
    made = demo.create_image(
        name,
        filename=str(disk),
        disk_format="qcow2",
        container_format="bare",
        wait=True,
        validate_checksum=True,
    )
    assert (made.status, made.owner) == ("active", demo.current_project_id)
    assert demo.image.download_image(made).content == disk.read_bytes()
    assert demo.image.find_image(name).id == made.id
    demo.image.delete_image(made)
    assert demo.image.find_image(name) is None


def members(connect: Connect, disk: Path) -> None:
    demo, other = connect("demo", "demo"), connect("demo2", "demo2")
    image = _queued(demo, visibility="shared")
    project = other.current_project_id
    demo.image.add_member(image, member_id=project)
    other.image.update_member(project, image, status="accepted")
    assert [(m.member_id, m.status) for m in demo.image.members(image)] == [(project, "accepted")]
    assert image.id in {i.id for i in other.image.images(visibility="shared")}
    demo.image.remove_member(project, image)
    _is_refused(openstack.exceptions.NotFoundException, other.image.get_image, image.id)


def deactivate(connect: Connect, disk: Path) -> None:
    demo, reader = connect("demo", "demo"), connect("reader", "demo")
    image = demo.image.upload_image("bare", "qcow2", disk.read_bytes(), name=f"upload-{uuid4()}")
    reader.image.deactivate_image(image.id)  # this client does not look at the answer
    assert demo.image.get_image(image.id).status == "active"
    demo.image.deactivate_image(image.id)
    assert demo.image.get_image(image.id).status == "deactivated"
    demo.image.reactivate_image(image.id)
    assert demo.image.get_image(image.id).status == "active"


def metadefs(connect: Connect, disk: Path) -> None:
    admin = connect("admin", "admin").image
    name = f"space-{uuid4()}"
    admin.create_metadef_namespace(namespace=name, display_name="Space", visibility="public")
    admin.update_metadef_namespace(name, display_name="Changed")
    assert admin.get_metadef_namespace(name).display_name == "Changed"
    assert name in {space.namespace for space in admin.metadef_namespaces()}
    admin.create_metadef_object(name, name="thing", description="A thing")
    assert admin.get_metadef_object("thing", name).description == "A thing"
    admin.create_metadef_property(name, name="word", title="Word", type="string")
    assert [word.name for word in admin.metadef_properties(name)] == ["word"]
    admin.create_metadef_resource_type_association(name, name="OS::Glance::Image")
    assert [a.name for a in admin.metadef_resource_type_associations(name)] == ["OS::Glance::Image"]
    assert "OS::Glance::Image" in {kind.name for kind in admin.metadef_resource_types()}
    admin.delete_all_metadef_objects(name)
    admin.delete_all_metadef_properties(name)
    assert [*admin.metadef_objects(name), *admin.metadef_properties(name)] == []
    admin.delete_metadef_namespace(name)
    _is_refused(openstack.exceptions.NotFoundException, admin.get_metadef_namespace, name)


def tasks_and_schemas(connect: Connect, disk: Path) -> None:
    admin = connect("admin", "admin").image
    assert list(admin.tasks()) == []
    assert admin.get_import_info().import_methods is not None
    for schema in (
        admin.get_tasks_schema(),
        admin.get_task_schema(),
        admin.get_metadef_namespace_schema(),
        admin.get_metadef_namespaces_schema(),
        admin.get_metadef_resource_type_schema(),
        admin.get_metadef_resource_types_schema(),
        admin.get_metadef_object_schema(),
        admin.get_metadef_objects_schema(),
        admin.get_metadef_property_schema(),
        admin.get_metadef_properties_schema(),
        admin.get_metadef_tag_schema(),
        admin.get_metadef_tags_schema(),
    ):
        assert schema.properties


def personas(connect: Connect, disk: Path) -> None:
    image = _queued(connect("demo", "demo"))
    reader, other = connect("reader", "demo"), connect("demo2", "demo2")
    assert reader.image.get_image(image.id).id == image.id
    _is_refused(openstack.exceptions.ForbiddenException, reader.image.delete_image, image.id)
    _is_refused(openstack.exceptions.NotFoundException, other.image.get_image, image.id)
    connect("admin", "admin").image.delete_image(image.id)


def _is_refused(error: type[Exception], call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"{call} was allowed")


def _queued(connection: Connection, **attributes: object) -> Any:
    name = f"image-{uuid4()}"
    return connection.image.create_image(
        name, disk_format="qcow2", container_format="bare", allow_duplicates=True, **attributes
    )


def _connect(url: str, region: str, user: str, project: str) -> Connection:
    return openstack.connect(
        auth_url=url,
        username=user,
        password="secret",
        project_name=project,
        user_domain_id="default",
        project_domain_id="default",
        region_name=region,
    )


if __name__ == "__main__":
    case, keystone, region, disk_name = sys.argv[1:]
    globals()[case](partial(_connect, keystone, region), Path(disk_name))
