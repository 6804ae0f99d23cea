"""Definitions that come from files, and writers of one namespace at the same time."""

from dataclasses import replace

import pytest

from glimpse.catalog.metadef_ports import LoadMode, MetadefRecords, Outcome
from glimpse.domain.errors import Duplicate, NotFound
from glimpse.domain.metadefs import Definition, Namespace, Part, PartKind
from glimpse.records.database import Database
from tests.contract.records.making import LATER, NOW, run_together
from tests.contract.records.test_metadefs import (
    BLUE,
    BOX,
    CORES,
    GREEN,
    IMAGE,
    MEMORY,
    PARTS,
    RED,
    VOLUME,
    bare,
    make,
)


class TestLoad:
    NEW_CORES = Part(PartKind.PROPERTY, "cores", {"title": "New", "type": "string"})

    def definition(self) -> Definition:
        namespace = Namespace(
            "ns", "admin", display_name="new", associations=(replace(IMAGE, prefix="x_"), VOLUME)
        )
        return Definition(namespace, (self.NEW_CORES, BOX, RED, GREEN))

    def old(self, metadefs: MetadefRecords) -> Namespace:
        return make(metadefs, "ns", CORES, MEMORY, RED, BLUE, display_name="old", associations=(IMAGE,))

    @pytest.mark.parametrize("mode", list(LoadMode))
    def test_what_is_new(self, metadefs: MetadefRecords, mode: LoadMode) -> None:
        assert metadefs.load(self.definition(), mode, NOW) is Outcome.CREATED
        namespace = metadefs.get("ns")
        assert namespace.display_name == "new"
        assert bare(metadefs.parts(namespace)) == [BOX, self.NEW_CORES, RED, GREEN]

    def test_skip(self, metadefs: MetadefRecords) -> None:
        before = self.old(metadefs)
        assert metadefs.load(self.definition(), LoadMode.SKIP, LATER) is Outcome.SKIPPED
        assert metadefs.get("ns") == before
        assert bare(metadefs.parts(before)) == [CORES, MEMORY, RED, BLUE]

    def test_merge(self, metadefs: MetadefRecords) -> None:
        self.old(metadefs)
        assert metadefs.load(self.definition(), LoadMode.MERGE, LATER) is Outcome.MERGED
        namespace = metadefs.get("ns")
        assert namespace.display_name == "old"
        assert [(item.name, item.prefix) for item in namespace.associations] == [
            (VOLUME.name, None),
            (IMAGE.name, "hw_"),
        ]
        assert bare(metadefs.parts(namespace)) == [BOX, CORES, MEMORY, RED, BLUE, GREEN]

    def test_prefer_new(self, metadefs: MetadefRecords) -> None:
        self.old(metadefs)
        assert metadefs.load(self.definition(), LoadMode.PREFER_NEW, LATER) is Outcome.MERGED
        namespace = metadefs.get("ns")
        assert (namespace.display_name, namespace.owner) == ("new", "admin")
        assert [item.prefix for item in namespace.associations] == [None, "x_"]
        assert bare(metadefs.parts(namespace)) == [BOX, self.NEW_CORES, MEMORY, RED, BLUE, GREEN]

    def test_overwrite(self, metadefs: MetadefRecords) -> None:
        before = self.old(metadefs)
        assert metadefs.load(self.definition(), LoadMode.OVERWRITE, LATER) is Outcome.OVERWRITTEN
        namespace = metadefs.get("ns")
        assert (namespace.id, namespace.display_name) == (before.id, "new")
        assert bare(metadefs.parts(namespace)) == [BOX, self.NEW_CORES, RED, GREEN]

    def test_twice_changes_nothing(self, metadefs: MetadefRecords) -> None:
        for mode in LoadMode:
            metadefs.load(self.definition(), mode, NOW)
            assert len(metadefs.parts(metadefs.get("ns"))) == 4

    def test_all_or_nothing(self, metadefs: MetadefRecords) -> None:
        before = self.old(metadefs)
        twins = Definition(self.definition().namespace, (BOX, GREEN, GREEN))
        with pytest.raises(Duplicate):
            metadefs.load(twins, LoadMode.OVERWRITE, LATER)
        assert metadefs.get("ns") == before
        assert bare(metadefs.parts(before)) == [CORES, MEMORY, RED, BLUE]


class TestTogether:
    def test_one_creates(self, metadefs: MetadefRecords) -> None:
        outcomes = run_together(*[lambda: make(metadefs, "ns", *PARTS, associations=(IMAGE, VOLUME))] * 4)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Duplicate"] * 3 + ["NoneType"]
        assert len(metadefs.parts(metadefs.get("ns"))) == len(PARTS)

    def test_one_type_for_all(self, metadefs: MetadefRecords) -> None:
        outcomes = run_together(
            *[lambda name=f"n{number}": make(metadefs, name, associations=(IMAGE,)) for number in range(6)]
        )
        assert outcomes == [None] * 6
        assert len(metadefs.resource_types()) == 1

    def test_replaced_tags_are_one_callers(self, metadefs: MetadefRecords) -> None:
        namespace = make(metadefs, "ns", RED)
        sets = [[Part(PartKind.TAG, f"{letter}{number}") for number in range(3)] for letter in "abcd"]
        outcomes = run_together(
            *[lambda tags=tags: metadefs.replace_tags(namespace, tags, LATER) for tags in sets]
        )
        assert outcomes == [None] * 4
        assert bare(metadefs.parts(namespace)) in sets

    def test_nothing_stays_of_a_namespace_that_is_deleted(
        self, metadefs: MetadefRecords, database: Database
    ) -> None:
        namespace = make(metadefs)
        outcomes = run_together(
            lambda: metadefs.delete(namespace),
            *[
                lambda name=f"t{number}": metadefs.add_parts(namespace, [Part(PartKind.TAG, name)], NOW)
                for number in range(4)
            ],
        )
        assert outcomes[0] is None
        assert {type(outcome) for outcome in outcomes[1:]} <= {NotFound, type(None)}
        assert metadefs.parts(namespace) == []
