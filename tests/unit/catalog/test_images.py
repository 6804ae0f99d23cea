from dataclasses import replace

import pytest

from glimpse.catalog import images
from glimpse.catalog.catalog import Catalog, Limits
from glimpse.catalog.data import begin_upload, commit_write
from glimpse.catalog.images import Draft
from glimpse.catalog.members import add_member
from glimpse.catalog.ports import IntentKind, WrittenData
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Duplicate, Forbidden, LimitExceeded, NotFound
from glimpse.domain.image import Digests, Image, Location, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker
from tests.unit.world import (
    ADMIN,
    ANONYMOUS,
    MEMBER,
    MISSING,
    NOBODYS,
    NOON,
    OTHER,
    OTHER_READER,
    READER,
    ROLELESS,
    Clock,
    put_in_status,
    register,
    reload,
)

S = ImageStatus
WORKER = Worker("worker", clock=lambda: 100.0)


def limited(catalog: Catalog, **limits: int) -> Catalog:
    return replace(catalog, limits=replace(Limits(), **limits))


def share(catalog: Catalog, image: Image, project: str = "elsewhere") -> None:
    add_member(catalog, ADMIN, image.id, project)


def test_defaults_of_a_new_image(catalog: Catalog) -> None:
    image = images.create(catalog, MEMBER, Draft())
    assert (image.status, image.visibility, image.owner) == (S.QUEUED, Visibility.SHARED, "lab")
    assert (image.min_ram, image.min_disk, image.protected, image.os_hidden) == (0, 0, False, False)
    assert image.created_at == image.updated_at == NOON
    assert (image.name, image.size, image.checksum) == (None, None, None)
    assert reload(catalog, image.id) == image


def test_everything_that_a_new_image_may_say(catalog: Catalog) -> None:
    image = register(
        catalog,
        visibility=Visibility.PRIVATE,
        properties={"os_distro": "debian"},
        tags=["a", "b"],
        id=MISSING,
        name="x",
        min_ram=1,
        min_disk=2,
        protected=True,
        os_hidden=True,
    )
    assert reload(catalog, MISSING) == image
    assert (image.name, image.min_ram, image.min_disk, image.protected, image.os_hidden) == (
        "x",
        1,
        2,
        True,
        True,
    )
    assert image.properties == {"os_distro": "debian"}
    assert image.tags == {"a", "b"}


def test_ids_are_taken_once(catalog: Catalog) -> None:
    register(catalog, id=MISSING)
    with pytest.raises(Duplicate):
        register(catalog, ADMIN, id=MISSING)
    images.delete(catalog, WORKER, MEMBER, MISSING)
    with pytest.raises(Duplicate):
        register(catalog, OTHER, id=MISSING)


@pytest.mark.parametrize("caller", [READER, ROLELESS, ANONYMOUS])
def test_who_may_not_register(catalog: Catalog, caller: Caller) -> None:
    with pytest.raises(Forbidden):
        images.create(catalog, caller, Draft())


@pytest.mark.parametrize("owner", ["elsewhere", None])
def test_owners_of_new_images(catalog: Catalog, owner: str | None) -> None:
    with pytest.raises(Forbidden):
        images.create(catalog, MEMBER, Draft({"owner": owner}))
    assert images.create(catalog, ADMIN, Draft({"owner": owner})).owner == owner


def test_only_administrators_publish(catalog: Catalog) -> None:
    with pytest.raises(Forbidden, match="publicize_image"):
        images.create(catalog, MEMBER, Draft({"visibility": "public"}))
    assert images.create(catalog, ADMIN, Draft({"visibility": "public"})).visibility == "public"
    assert images.create(catalog, MEMBER, Draft({"visibility": "community"})).visibility == "community"


def test_quotas_of_new_images(catalog: Catalog) -> None:
    small = limited(catalog, image_property_quota=1, image_tag_quota=2)
    register(small, properties={"a": "1"}, tags=["a", "b"])
    with pytest.raises(LimitExceeded) as refused:
        register(small, properties={"a": "1", "b": "2"})
    assert (refused.value.limit, refused.value.maximum, refused.value.attempted) == (
        "image_property_quota",
        1,
        2,
    )
    with pytest.raises(LimitExceeded, match="image_tag_quota"):
        register(small, tags=["a", "b", "c"])


def test_negative_quotas_are_none(catalog: Catalog) -> None:
    endless = limited(catalog, image_property_quota=-1, image_tag_quota=-1)
    register(endless, properties={str(n): "x" for n in range(200)}, tags=[str(n) for n in range(200)])


def test_zero_quotas_allow_nothing(catalog: Catalog) -> None:
    with pytest.raises(LimitExceeded):
        register(limited(catalog, image_tag_quota=0), tags=["a"])


# Who sees an image of the project "lab" by its visibility.
SEES = [
    (Visibility.PUBLIC, {"reader", "member", "other", "other reader", "nobody's", "anonymous", "admin"}),
    (Visibility.COMMUNITY, {"reader", "member", "other", "other reader", "nobody's", "anonymous", "admin"}),
    (Visibility.SHARED, {"reader", "member", "admin"}),
    (Visibility.PRIVATE, {"reader", "member", "admin"}),
]
PEOPLE = {
    "reader": READER,
    "member": MEMBER,
    "other": OTHER,
    "other reader": OTHER_READER,
    "nobody's": NOBODYS,
    "anonymous": ANONYMOUS,
    "admin": ADMIN,
    "roleless": ROLELESS,
}


@pytest.mark.parametrize(("visibility", "seen_by"), SEES)
def test_who_sees_what(catalog: Catalog, visibility: Visibility, seen_by: set[str]) -> None:
    image = register(catalog, visibility=visibility)
    for name in seen_by:
        assert images.show(catalog, PEOPLE[name], image.id) == image
    for name in PEOPLE.keys() - seen_by:
        with pytest.raises(NotFound) as refused:
            images.show(catalog, PEOPLE[name], image.id)
        assert (refused.value.kind, refused.value.name) == ("image", image.id)


def test_members_see_what_is_shared_with_them(catalog: Catalog) -> None:
    image = register(catalog)
    share(catalog, image)
    assert images.show(catalog, OTHER, image.id).member == "elsewhere"
    assert images.show(catalog, OTHER_READER, image.id).id == image.id
    with pytest.raises(NotFound):
        images.show(catalog, NOBODYS, image.id)
    images.edit(catalog, MEMBER, image.id, [lambda it: replace(it, visibility=Visibility.PRIVATE)])
    with pytest.raises(NotFound):
        images.show(catalog, OTHER, image.id)


def test_what_is_not_there(catalog: Catalog) -> None:
    for image_id in (MISSING, "", "no uuid", "x" * 300):
        with pytest.raises(NotFound):
            images.show(catalog, ADMIN, image_id)


def test_who_sees_but_may_not_change(catalog: Catalog) -> None:
    image = register(catalog, visibility=Visibility.PUBLIC)
    for caller in (READER, OTHER, NOBODYS, ANONYMOUS):
        with pytest.raises(Forbidden):
            images.edit(catalog, caller, image.id, [lambda it: replace(it, name="x")])
        with pytest.raises(Forbidden):
            images.add_tag(catalog, caller, image.id, "x")
        with pytest.raises(Forbidden):
            images.delete(catalog, WORKER, caller, image.id)
        with pytest.raises(Forbidden):
            images.deactivate(catalog, caller, image.id)
    assert reload(catalog, image.id) == image


def test_who_does_not_see_cannot_tell_a_refusal_from_absence(catalog: Catalog) -> None:
    image = register(catalog)
    for image_id in (image.id, MISSING):
        with pytest.raises(NotFound, match=image_id):
            images.edit(catalog, OTHER, image_id, [lambda it: it])
        with pytest.raises(NotFound, match=image_id):
            images.delete(catalog, WORKER, OTHER, image_id)
        with pytest.raises(NotFound, match=image_id):
            images.reactivate(catalog, OTHER, image_id)


def test_what_nobody_owns_belongs_to_nobody(catalog: Catalog) -> None:
    """Neither a caller without a project nor one whose project has an unlucky name."""
    image = images.create(catalog, ADMIN, Draft({"owner": None, "visibility": "public"}))
    for project in (None, "None", "null", ""):
        caller = Caller("eve", project, frozenset({"member", "reader"}))
        with pytest.raises(Forbidden):
            images.edit(catalog, caller, image.id, [lambda it: replace(it, name="mine")])
        with pytest.raises(Forbidden):
            images.delete(catalog, WORKER, caller, image.id)


def test_whoever_has_no_project_registers_nothing(catalog: Catalog) -> None:
    with pytest.raises(Forbidden):
        images.create(catalog, NOBODYS, Draft())


def test_edits_are_written_at_once(catalog: Catalog, clock: Clock) -> None:
    image = register(catalog, name="old", properties={"a": "1", "b": "2"}, tags=["x"])
    clock.pass_by(60)
    after = images.edit(
        catalog,
        MEMBER,
        image.id,
        [
            lambda it: replace(it, name="new"),
            lambda it: replace(it, properties={"a": "3"}, tags=frozenset({"y"})),
        ],
    )
    assert after.updated_at == clock.now() != image.updated_at
    assert reload(catalog, image.id) == after
    assert (after.name, after.properties) == ("new", {"a": "3"})
    assert after.tags == {"y"}


def test_edits_that_change_nothing_are_no_change(catalog: Catalog, clock: Clock) -> None:
    image = register(catalog, name="old")
    clock.pass_by(60)
    images.edit(catalog, MEMBER, image.id, [])
    images.edit(catalog, MEMBER, image.id, [lambda it: replace(it, name="old")])
    assert reload(catalog, image.id) == image


def test_a_refused_change_leaves_nothing_behind(catalog: Catalog) -> None:
    image = register(catalog, name="old")

    def refuse(_: Image) -> Image:
        raise Forbidden("no")

    with pytest.raises(Forbidden):
        images.edit(catalog, MEMBER, image.id, [lambda it: replace(it, name="new"), refuse])
    assert reload(catalog, image.id) == image


def test_a_status_that_changes_meanwhile_is_a_conflict(catalog: Catalog) -> None:
    image = register(catalog, name="old")

    def meanwhile(it: Image) -> Image:
        put_in_status(catalog, image.id, S.SAVING)
        return replace(it, name="new")

    with pytest.raises(Conflict):
        images.edit(catalog, MEMBER, image.id, [meanwhile])
    assert reload(catalog, image.id).name == "old"


def test_an_image_that_vanishes_meanwhile_is_not_found(catalog: Catalog) -> None:
    image = register(catalog)

    def meanwhile(it: Image) -> Image:
        images.delete(catalog, WORKER, ADMIN, image.id)
        return replace(it, name="new")

    with pytest.raises(NotFound):
        images.edit(catalog, MEMBER, image.id, [meanwhile])


def test_an_image_above_a_lowered_quota_may_shrink(catalog: Catalog) -> None:
    image = register(catalog, properties={"a": "1", "b": "2", "c": "3"}, tags=["a", "b", "c"])
    small = limited(catalog, image_property_quota=1, image_tag_quota=1)
    images.edit(small, MEMBER, image.id, [lambda it: replace(it, properties={"a": "9", "b": "2"})])
    images.remove_tag(small, MEMBER, image.id, "a")
    with pytest.raises(LimitExceeded):
        images.edit(small, MEMBER, image.id, [lambda it: replace(it, properties={"a": "9", "new": "2"})])
    with pytest.raises(LimitExceeded):
        images.add_tag(small, MEMBER, image.id, "new")


def test_runtime_properties_do_not_count(catalog: Catalog) -> None:
    image = register(catalog)
    small = limited(catalog, image_property_quota=1)
    properties = {"os_glance_import_task": "x", "os_glance_failed_import": "", "own": "1"}
    images.edit(small, MEMBER, image.id, [lambda it: replace(it, properties=properties)])


def test_tags(catalog: Catalog) -> None:
    image = register(catalog)
    images.add_tag(catalog, MEMBER, image.id, "a")
    images.add_tag(catalog, MEMBER, image.id, "a")
    images.add_tag(catalog, MEMBER, image.id, "ä b")
    assert reload(catalog, image.id).tags == {"a", "ä b"}
    images.remove_tag(catalog, MEMBER, image.id, "a")
    with pytest.raises(NotFound) as refused:
        images.remove_tag(catalog, MEMBER, image.id, "a")
    assert refused.value.kind == "tag"
    assert reload(catalog, image.id).tags == {"ä b"}


def test_deleting(catalog: Catalog) -> None:
    image = register(catalog)
    assert images.delete(catalog, WORKER, MEMBER, image.id) == []
    assert reload(catalog, image.id).status is S.DELETED
    for verb in (images.show, images.deactivate):
        with pytest.raises(NotFound):
            verb(catalog, ADMIN, image.id)
    with pytest.raises(NotFound):
        images.delete(catalog, WORKER, ADMIN, image.id)


@pytest.mark.parametrize("caller", [MEMBER, ADMIN])
def test_what_is_protected_stays(catalog: Catalog, caller: Caller) -> None:
    image = register(catalog, protected=True)
    with pytest.raises(Forbidden, match="protected"):
        images.delete(catalog, WORKER, caller, image.id)
    assert reload(catalog, image.id) == image
    images.edit(catalog, MEMBER, image.id, [lambda it: replace(it, protected=False)])
    images.delete(catalog, WORKER, caller, image.id)


@pytest.mark.parametrize(
    "path",
    [[S.SAVING], [S.UPLOADING], [S.IMPORTING], [S.ACTIVE], [S.ACTIVE, S.DEACTIVATED], [S.SAVING, S.KILLED]],
)
def test_deleting_in_every_status(catalog: Catalog, path: list[ImageStatus]) -> None:
    image = register(catalog)
    put_in_status(catalog, image.id, *path)
    images.delete(catalog, WORKER, MEMBER, image.id)
    assert reload(catalog, image.id).status is S.DELETED


def test_deactivating(catalog: Catalog, clock: Clock) -> None:
    image = register(catalog)
    put_in_status(catalog, image.id, S.ACTIVE)
    clock.pass_by(5)
    images.deactivate(catalog, MEMBER, image.id)
    once = reload(catalog, image.id)
    assert (once.status, once.updated_at) == (S.DEACTIVATED, clock.now())
    clock.pass_by(5)
    images.deactivate(catalog, MEMBER, image.id)
    assert reload(catalog, image.id) == once
    images.reactivate(catalog, MEMBER, image.id)
    images.reactivate(catalog, MEMBER, image.id)
    assert reload(catalog, image.id).status is S.ACTIVE


@pytest.mark.parametrize("status", [S.QUEUED, S.SAVING, S.UPLOADING, S.IMPORTING])
def test_only_active_images_are_switched(catalog: Catalog, status: ImageStatus) -> None:
    image = register(catalog)
    if status is not S.QUEUED:
        put_in_status(catalog, image.id, status)
    for verb in (images.deactivate, images.reactivate):
        with pytest.raises(Forbidden, match=status):
            verb(catalog, ADMIN, image.id)
    assert reload(catalog, image.id).status is status


def test_intents_of_a_deletion(catalog: Catalog) -> None:
    image = register(catalog)
    write = begin_upload(catalog, WORKER, MEMBER, image.id, "file", 3)
    location = Location("file:///x", {"store": "file"})
    commit_write(catalog, write, WrittenData(location, 3, None, Digests("c", "sha512", "v")))
    (intent,) = images.delete(catalog, WORKER, MEMBER, image.id)
    assert (intent.kind, intent.image_id, intent.store) == (IntentKind.DELETE, image.id, "file")
    assert (intent.target, intent.worker, intent.lease_until) == ("file:///x", "worker", 110.0)
    assert catalog.records.intents.expired(1000.0, 10) == [intent]
