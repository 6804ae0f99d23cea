"""Metadata definitions from files and into files."""

from typing import Any

import pytest

from glimpse.catalog.catalog import Catalog
from glimpse.catalog.metadef_files import Report, export_metadefs, load_metadefs, unload_metadefs
from glimpse.catalog.metadef_ports import LoadMode, MetadefRecords, NamespaceQuery, Outcome
from glimpse.domain.caller import Caller
from tests.unit.world import NOON

CPU: dict[str, Any] = {
    "namespace": "OS::CPU",
    "display_name": "CPU Pinning",
    "description": "Words",
    "visibility": "public",
    "protected": True,
    "owner": "admin",
    "resource_type_associations": [{"name": "OS::Nova::Flavor", "prefix": "hw:"}],
    "properties": {"policy": {"title": "Policy", "type": "string", "default": "shared"}},
    "objects": [
        {"name": "o", "required": ["p"], "properties": {"p": {"title": "P", "type": "integer", "minimum": 0}}}
    ],
    "tags": [{"name": "t"}],
}
LEAST = {"namespace": "OS::Least"}


@pytest.fixture
def records(catalog: Catalog) -> MetadefRecords:
    return catalog.records.metadefs


def load(records: MetadefRecords, *documents: object, mode: LoadMode = LoadMode.SKIP) -> Report:
    files = [(f"{number}.json", document) for number, document in enumerate(documents)]
    return load_metadefs(records, files, mode, NOON)


def namespaces(records: MetadefRecords) -> list[str]:
    return [item.namespace for item in records.page(NamespaceQuery(1000), Caller(is_admin=True))]


def test_what_is_loaded_is_exported(records: MetadefRecords) -> None:
    report = load(records, CPU, LEAST)
    assert report == Report((("0.json", Outcome.CREATED), ("1.json", Outcome.CREATED)), ())
    exported = dict(export_metadefs(records))
    assert exported["CPUPinning.json"] == CPU
    assert exported["OSLeast.json"]["owner"] == "admin"
    assert exported["OSLeast.json"]["visibility"] == "private"


def test_what_is_exported_is_loaded(records: MetadefRecords) -> None:
    load(records, CPU, LEAST)
    exported = list(export_metadefs(records))
    unload_metadefs(records)
    assert namespaces(records) == []
    assert records.resource_types() == []
    assert load_metadefs(records, exported, LoadMode.SKIP, NOON).count(Outcome.CREATED) == 2
    assert list(export_metadefs(records)) == exported


def test_twice_is_as_good_as_once(records: MetadefRecords) -> None:
    load(records, CPU)
    for mode, outcome in {
        LoadMode.SKIP: Outcome.SKIPPED,
        LoadMode.MERGE: Outcome.MERGED,
        LoadMode.PREFER_NEW: Outcome.MERGED,
        LoadMode.OVERWRITE: Outcome.OVERWRITTEN,
    }.items():
        assert load(records, CPU, mode=mode).outcomes == (("0.json", outcome),)
        assert [document for _, document in export_metadefs(records)] == [CPU]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**CPU, "namespace": "x" * 81},
        {**CPU, "tags": [{"name": "t"}, {"name": "t"}]},
        {**CPU, "properties": {"p": {"type": "string"}}},
    ],
    ids=lambda document: str(document)[:30],
)
def test_a_bad_file_is_named_and_the_others_are_taken(records: MetadefRecords, document: object) -> None:
    report = load(records, document, LEAST)
    assert report.outcomes == (("1.json", Outcome.CREATED),)
    ((name, text),) = report.failures
    assert name == "0.json"
    assert text.startswith("0.json: ")
    assert namespaces(records) == ["OS::Least"]


def test_a_bad_file_leaves_what_was_there(records: MetadefRecords) -> None:
    load(records, CPU)
    bad = {**CPU, "tags": [{"name": "t"}, {"name": "t"}]}
    for mode in LoadMode:
        assert len(load(records, bad, mode=mode).failures) == 1
    assert [document for _, document in export_metadefs(records)] == [CPU]


def test_file_names_do_not_clash(records: MetadefRecords) -> None:
    same = [{"namespace": f"N{number}", "display_name": "Same/Name"} for number in range(3)]
    odd = [{"namespace": "../../etc"}, {"namespace": "::"}, {"namespace": "same name"}]
    load(records, *same, *odd)
    names = [name for name, _ in export_metadefs(records)]
    assert len({name.lower() for name in names}) == 6
    assert "SameName.json" in names
    assert not [name for name in names if "/" in name or name.startswith(".")]


def test_many_namespaces(records: MetadefRecords) -> None:
    load(records, *({"namespace": f"N{number}"} for number in range(230)))
    assert len(list(export_metadefs(records))) == 230
