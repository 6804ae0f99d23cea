"""Metadata definitions on every database."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from glimpse.catalog.metadef_ports import MetadefRecords, NamespaceQuery
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Duplicate, Forbidden, NotFound
from glimpse.domain.image import Visibility
from glimpse.domain.metadefs import Association, Definition, Namespace, Part, PartKind
from glimpse.records import tables
from glimpse.records.database import Database
from tests.contract.records.making import LATER, NOW

ADMIN = Caller(project_id="office", is_admin=True)
MINE = Caller(project_id="mine")
OTHERS = Caller(project_id="others")
NOBODYS = Caller()

CORES = Part(PartKind.PROPERTY, "cores", {"title": "Cores", "type": "integer", "default": "4"})
MEMORY = Part(PartKind.PROPERTY, "memory", {"title": "Größe", "type": "string", "enum": ["a", None]})
BOX = Part(PartKind.OBJECT, "box", {"p": {"title": "P", "type": "string"}}, "A box", ("p", "q"))
BARE = Part(PartKind.OBJECT, "bare")
RED, BLUE, GREEN = (Part(PartKind.TAG, name) for name in ("red", "blue", "green"))
PARTS = (CORES, MEMORY, BOX, BARE, RED, BLUE)
IMAGE = Association("OS::Glance::Image", "hw_")
VOLUME = Association("OS::Cinder::Volume", None, "image")


def make(metadefs: MetadefRecords, name: str = "ns", *parts: Part, **fields: Any) -> Namespace:
    now = fields.pop("now", NOW)
    metadefs.create(Definition(Namespace(name, fields.pop("owner", "mine"), **fields), parts), now)
    return metadefs.get(name)


def bare(parts: list[Part]) -> list[Part]:
    """The parts as they were before they were stored."""
    return [replace(part, created_at=None, updated_at=None) for part in parts]


def names(metadefs: MetadefRecords, viewer: Caller = ADMIN, **fields: Any) -> list[str]:
    defaults: dict[str, Any] = {"limit": 1000, "sort_key": "namespace", "descending": False}
    query = NamespaceQuery(**(defaults | fields))
    return [item.namespace for item in metadefs.page(query, viewer)]


class TestNamespace:
    def test_comes_back_as_it_was(self, metadefs: MetadefRecords) -> None:
        wanted = Namespace(
            "OS::X", "mine", Visibility.PUBLIC, True, "Ünï", "Words", (VOLUME, IMAGE), NOW, NOW
        )
        metadefs.create(Definition(wanted, PARTS), NOW)
        found = metadefs.get("OS::X")
        stamped = tuple(replace(item, created_at=NOW, updated_at=NOW) for item in (VOLUME, IMAGE))
        assert found == replace(wanted, id=found.id, associations=stamped)
        parts = metadefs.parts(found)
        assert [part.name for part in parts] == ["box", "bare", "cores", "memory", "red", "blue"]
        assert sorted(bare(parts), key=lambda part: part.name) == sorted(PARTS, key=lambda part: part.name)
        assert {(part.created_at, part.updated_at) for part in parts} == {(NOW, NOW)}

    @pytest.mark.parametrize("name", ["other", "NS", "ns ", ""])
    def test_that_is_not_there(self, metadefs: MetadefRecords, name: str) -> None:
        make(metadefs)
        with pytest.raises(NotFound):
            metadefs.get(name)

    def test_name_is_unique(self, metadefs: MetadefRecords) -> None:
        make(metadefs, "ns", RED)
        with pytest.raises(Duplicate):
            make(metadefs, "ns", BLUE)
        assert bare(metadefs.parts(metadefs.get("ns"))) == [RED]

    def test_is_made_with_all_its_parts_or_not_at_all(self, metadefs: MetadefRecords) -> None:
        with pytest.raises(Duplicate):
            make(metadefs, "ns", CORES, RED, RED, associations=(IMAGE,))
        assert names(metadefs) == []
        assert metadefs.resource_types() == []

    def test_change(self, metadefs: MetadefRecords) -> None:
        before = make(metadefs, "ns", RED, associations=(IMAGE,), description="x", protected=True)
        metadefs.change(Namespace("new", "you", Visibility.PUBLIC, id=before.id), LATER)
        after = metadefs.get("new")
        expected = Namespace("new", "you", Visibility.PUBLIC, id=before.id, created_at=NOW, updated_at=LATER)
        assert after == replace(expected, associations=before.associations)
        assert bare(metadefs.parts(after)) == [RED]
        with pytest.raises(NotFound):
            metadefs.get("ns")

    def test_takes_no_others_name(self, metadefs: MetadefRecords) -> None:
        first = make(metadefs, "first")
        make(metadefs, "second")
        with pytest.raises(Duplicate):
            metadefs.change(replace(first, namespace="second"), LATER)
        assert names(metadefs) == ["first", "second"]
        metadefs.change(replace(first, display_name="same name"), LATER)

    def test_delete(self, metadefs: MetadefRecords) -> None:
        kept = make(metadefs, "kept", *PARTS, associations=(IMAGE,))
        gone = make(metadefs, "gone", *PARTS, associations=(IMAGE, VOLUME))
        metadefs.delete(gone)
        assert names(metadefs) == ["kept"]
        assert len(metadefs.parts(kept)) == len(PARTS)
        assert metadefs.parts(gone) == []
        assert [item.name for item in metadefs.resource_types()] == [VOLUME.name, IMAGE.name]

    def test_that_is_gone_takes_no_changes(self, metadefs: MetadefRecords) -> None:
        gone = make(metadefs)
        metadefs.delete(gone)
        works: list[Callable[[], object]] = [
            lambda: metadefs.delete(gone),
            lambda: metadefs.change(gone, LATER),
            lambda: metadefs.add_parts(gone, [RED], NOW),
            lambda: metadefs.replace_tags(gone, [RED], NOW),
            lambda: metadefs.change_part(gone, "red", RED, NOW),
            lambda: metadefs.delete_part(gone, PartKind.TAG, "red"),
            lambda: metadefs.delete_parts(gone, PartKind.TAG),
            lambda: metadefs.associate(gone, IMAGE, NOW),
            lambda: metadefs.dissociate(gone, IMAGE.name),
        ]
        for work in works:
            with pytest.raises(NotFound):
                work()

    def test_that_is_protected_loses_nothing(self, metadefs: MetadefRecords) -> None:
        kept = make(metadefs, "ns", *PARTS, associations=(IMAGE,), protected=True)
        works: list[Callable[[], object]] = [
            lambda: metadefs.delete(kept),
            lambda: metadefs.delete_part(kept, PartKind.OBJECT, "box"),
            lambda: metadefs.delete_parts(kept, PartKind.PROPERTY),
            lambda: metadefs.dissociate(kept, IMAGE.name),
        ]
        for work in works:
            with pytest.raises(Forbidden):
                work()
        assert metadefs.get("ns") == kept
        assert len(metadefs.parts(kept)) == len(PARTS)


class TestParts:
    def test_of_one_kind(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", *PARTS)
        assert bare(metadefs.parts(namespace, PartKind.PROPERTY)) == [CORES, MEMORY]
        assert bare(metadefs.parts(namespace, PartKind.OBJECT)) == [BOX, BARE]
        assert bare(metadefs.parts(namespace, PartKind.TAG)) == [RED, BLUE]

    def test_one(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", *PARTS)
        for part in PARTS:
            assert bare([metadefs.part(namespace, part.kind, part.name)]) == [part]
        for name in ("BOX", "box ", "red", "other"):
            with pytest.raises(NotFound):
                metadefs.part(namespace, PartKind.OBJECT, name)

    def test_are_added_once(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", RED)
        metadefs.add_parts(namespace, [CORES, BLUE], LATER)
        for part in (RED, CORES):
            with pytest.raises(Duplicate):
                metadefs.add_parts(namespace, [GREEN, part], NOW)
        assert bare(metadefs.parts(namespace)) == [CORES, RED, BLUE]

    @pytest.mark.parametrize("part", [CORES, BOX, RED], ids=lambda part: str(part.kind))
    def test_change(self, metadefs: MetadefRecords, part: Part) -> None:
        namespace = make(metadefs, "ns", part)
        schema = {} if part.kind is PartKind.TAG else {"new": {"title": "N", "type": "string"}}
        wanted = Part(part.kind, "renamed", schema)
        metadefs.change_part(namespace, part.name, wanted, LATER)
        found = replace(wanted, created_at=NOW, updated_at=LATER)
        assert metadefs.parts(namespace) == [found]
        with pytest.raises(NotFound):
            metadefs.change_part(namespace, part.name, wanted, LATER)

    def test_take_no_others_name(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", RED, BLUE)
        make(metadefs, "other", GREEN)
        with pytest.raises(Duplicate):
            metadefs.change_part(namespace, "red", BLUE, LATER)
        metadefs.change_part(namespace, "red", GREEN, LATER)
        assert bare(metadefs.parts(namespace)) == [GREEN, BLUE]

    def test_delete(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", *PARTS)
        metadefs.delete_part(namespace, PartKind.PROPERTY, "cores")
        for name in ("cores", "Memory", "box"):
            with pytest.raises(NotFound):
                metadefs.delete_part(namespace, PartKind.PROPERTY, name)
        assert bare(metadefs.parts(namespace, PartKind.PROPERTY)) == [MEMORY]
        metadefs.delete_parts(namespace, PartKind.OBJECT)
        assert bare(metadefs.parts(namespace)) == [MEMORY, RED, BLUE]

    def test_tags_are_replaced_at_once(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", CORES, RED, BLUE)
        metadefs.replace_tags(namespace, [BLUE, GREEN], LATER)
        assert bare(metadefs.parts(namespace)) == [CORES, BLUE, GREEN]
        with pytest.raises(Duplicate):
            metadefs.replace_tags(namespace, [RED, RED], LATER)
        assert bare(metadefs.parts(namespace)) == [CORES, BLUE, GREEN]


class TestAssociations:
    def test_make_types(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs)
        metadefs.associate(namespace, IMAGE, NOW)
        metadefs.associate(make(metadefs, "other"), IMAGE, LATER)
        with pytest.raises(Duplicate):
            metadefs.associate(namespace, IMAGE, LATER)
        assert [item.name for item in metadefs.get("ns").associations] == [IMAGE.name]
        assert [(item.name, item.created_at) for item in metadefs.resource_types()] == [(IMAGE.name, NOW)]

    def test_end(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", associations=(IMAGE, VOLUME))
        metadefs.dissociate(namespace, IMAGE.name)
        for name in (IMAGE.name, VOLUME.name.lower(), "never"):
            with pytest.raises(NotFound):
                metadefs.dissociate(namespace, name)
        assert [item.name for item in metadefs.get("ns").associations] == [VOLUME.name]
        assert len(metadefs.resource_types()) == 2


class TestPage:
    def test_who_sees_what(self, metadefs: MetadefRecords) -> None:
        for owner in ("mine", "others"):
            for visibility in (Visibility.PUBLIC, Visibility.PRIVATE):
                make(metadefs, f"{owner} {visibility}", owner=owner, visibility=visibility)
        both = ["mine public", "others public"]
        assert len(names(metadefs)) == 4
        assert names(metadefs, MINE) == ["mine private", *both]
        assert names(metadefs, OTHERS) == ["mine public", "others private", "others public"]
        assert names(metadefs, NOBODYS) == both
        for viewer in (ADMIN, MINE, NOBODYS):
            assert names(metadefs, viewer, visibility=Visibility.PUBLIC) == both
        private = {"visibility": Visibility.PRIVATE}
        assert names(metadefs, MINE, **private) == ["mine private"]
        assert names(metadefs, ADMIN, **private) == ["mine private", "others private"]
        assert names(metadefs, NOBODYS, **private) == []

    def test_by_resource_type(self, metadefs: MetadefRecords) -> None:
        make(metadefs, "a", associations=(IMAGE, VOLUME))
        make(metadefs, "b", associations=(VOLUME,))
        make(metadefs, "c")
        assert names(metadefs, resource_types=(IMAGE.name,)) == ["a"]
        assert names(metadefs, resource_types=(IMAGE.name, VOLUME.name)) == ["a", "b"]
        assert names(metadefs, resource_types=("never", IMAGE.name.lower())) == []
        (found,) = metadefs.page(NamespaceQuery(5, resource_types=(IMAGE.name,)), ADMIN)
        assert len(found.associations) == 2

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize(
        "key", ["created_at", "updated_at", "namespace", "display_name", "owner", "visibility"]
    )
    def test_pages_join_without_gap_or_overlap(
        self, metadefs: MetadefRecords, key: str, descending: bool
    ) -> None:
        for number, display_name in enumerate(["b", None, "a", None, "b", "c", None]):
            visibility = Visibility.PUBLIC if number % 3 else Visibility.PRIVATE
            make(
                metadefs,
                f"n{number * 5 % 7}",
                display_name=display_name,
                visibility=visibility,
                owner=f"o{number % 2}",
                now=NOW if number % 2 else LATER,
            )
        query = NamespaceQuery(1000, key, descending)
        whole = metadefs.page(query, ADMIN)
        assert len(whole) == 7
        known = [(getattr(item, key) is not None, getattr(item, key) or "", item.id) for item in whole]
        assert known == sorted(known, reverse=descending)
        for size in (1, 2, 3):
            joined: list[Namespace] = []
            page = replace(query, limit=size)
            while found := metadefs.page(page, ADMIN):
                joined += found
                page = replace(page, marker=found[-1])
            assert joined == whole

    def test_rows_of_glance_without_values(self, metadefs: MetadefRecords, database: Database) -> None:
        with database.writer.begin() as connection:
            connection.execute(
                insert(tables.metadef_namespaces),
                [{"namespace": name, "owner": "admin", "created_at": NOW} for name in ("a", "b")],
            )
            key = connection.execute(select(tables.metadef_namespaces.c.id)).scalars().first()
            connection.execute(
                insert(tables.metadef_properties),
                {
                    "namespace_id": key,
                    "name": "p",
                    "json_schema": '{"name": "p", "type": "integer"}',
                    "created_at": NOW,
                },
            )
            connection.execute(
                insert(tables.metadef_objects),
                {"namespace_id": key, "name": "o", "json_schema": "{}", "required": "a,b", "created_at": NOW},
            )
        found = metadefs.get("a")
        assert (found.visibility, found.protected, found.updated_at) == (Visibility.PRIVATE, False, None)
        part_object, part_property = metadefs.parts(found)
        assert part_property.schema == {"type": "integer"}
        assert part_object.required == ("a", "b")
        assert names(metadefs, OTHERS) == []
        for sort_key in ("visibility", "updated_at"):
            assert names(metadefs, sort_key=sort_key, marker=found) == ["b"]
        assert names(metadefs, visibility=Visibility.PRIVATE) == ["a", "b"]

    def test_of_a_thousand_is_one_statement(self, metadefs: MetadefRecords, database: Database) -> None:
        metadefs.associate(make(metadefs), IMAGE, NOW)
        with database.writer.begin() as connection:
            kind = connection.execute(select(tables.metadef_resource_types.c.id)).scalar_one()
            connection.execute(
                insert(tables.metadef_namespaces),
                [{"namespace": f"n{number}", "owner": "me", "created_at": NOW} for number in range(999)],
            )
            keys = connection.execute(select(tables.metadef_namespaces.c.id)).scalars().all()
            connection.execute(
                insert(tables.metadef_namespace_resource_types),
                [
                    {"namespace_id": key, "resource_type_id": kind, "created_at": NOW}
                    for key in keys
                    if key != metadefs.get("ns").id
                ],
            )
        with counted(database) as statements:
            found = metadefs.page(NamespaceQuery(1000), ADMIN)
            assert len(statements) == 1
        assert len(found) == 1000
        assert {item.associations[0].name for item in found} == {IMAGE.name}
        with counted(database) as statements:
            metadefs.parts(metadefs.get("ns"))
            assert len(statements) == 2


class counted:  # noqa: N801 - used like a function
    """The statements that a database is asked while this is open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statements: list[str] = []
        self._fetch = database._fetch

    def __enter__(self) -> list[str]:
        def fetch(text: str, parameters: Any) -> Any:
            self._statements.append(text)
            return self._fetch(text, parameters)

        self._database._fetch = fetch  # type: ignore[method-assign]
        event.listen(self._database.writer, "before_cursor_execute", self._note)
        return self._statements

    def _note(self, *details: Any) -> None:
        self._statements.append(str(details[2]))

    def __exit__(self, *_: object) -> None:
        del self._database._fetch
        event.remove(self._database.writer, "before_cursor_execute", self._note)
