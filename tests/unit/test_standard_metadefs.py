"""The metadata definitions that come with the service: complete, well formed, and such as it takes itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import glimpse
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.metadef_files import export_metadefs, load_metadefs
from glimpse.catalog.metadef_ports import LoadMode, Outcome
from tests.unit.world import NOON

FILES = sorted((Path(glimpse.__file__).parent / "metadefs").iterdir())
DOCUMENTS: dict[str, dict[str, Any]] = {path.name: json.loads(path.read_text("utf-8")) for path in FILES}

COMPUTE = (
    "AggregateDiskFilter AggregateIoOpsFilter AggregateNumInstancesFilter CPUPinning GuestMemoryBacking "
    "GuestShutdownBehavior HostCapabilities Hypervisor InstanceData LibvirtImage Libvirt Quota "
    "RandomNumberGenerator VirtCPUTopology VMwareFlavor VMwareQuotaFlavor VMware TPM VTPM Watchdog XenAPI"
)
CIM = "ProcessorAllocation ResourceAllocation StorageAllocation VirtualSystem"
NAMESPACES = {
    *(f"OS::Compute::{name}" for name in COMPUTE.split()),
    *(f"CIM::{name}SettingData" for name in CIM.split()),
    *(f"OS::Software::{name}" for name in ("DBMS", "Runtimes", "WebServers")),
    "OS::Glance::CommonImageProperties",
    "OS::Glance::Signatures",
    "OS::OperatingSystem",
    "OS::Cinder::Volumetype",
}
OPEN = {"OS::Compute::AggregateNumInstancesFilter", "OS::Glance::Signatures"}
WITHOUT_VISIBILITY = {"OS::Glance::CommonImageProperties", "OS::OperatingSystem"}
# What each type of resource keeps its properties in, where it has more than one place.
TARGETS = {
    "OS::Glance::Image": None,
    "OS::Nova::Flavor": None,
    "OS::Nova::Aggregate": None,
    "OS::Trove::Instance": None,
    "OS::Cinder::Volume": "image",
    "OS::Nova::Server": "metadata",
}
PREFIXES = {
    "OS::Compute::CPUPinning": {"OS::Glance::Image": "hw_", "OS::Nova::Flavor": "hw:"},
    "OS::Compute::Quota": {"OS::Nova::Flavor": "quota:"},
    "OS::Compute::VMwareFlavor": {"OS::Nova::Flavor": "vmware:"},
    "OS::Compute::HostCapabilities": {
        "OS::Nova::Flavor": "capabilities:",
        "OS::Nova::Aggregate": "aggregate_instance_extra_specs:",
    },
    "CIM::StorageAllocationSettingData": {"OS::Glance::Image": "CIM_SASD_"},
}
# What operators look for in each: if one is gone, a file was cut short.
EXPECTED = {
    "OS::Compute::LibvirtImage": {"hw_disk_bus", "hw_vif_model", "hw_firmware_type", "hw_video_model"},
    "OS::Compute::VirtCPUTopology": {"cpu_sockets", "cpu_cores", "cpu_threads", "cpu_max_sockets"},
    "OS::Compute::Quota": {"cpu_shares", "disk_total_iops_sec", "vif_outbound_burst"},
    "OS::OperatingSystem": {"os_distro", "os_version", "os_admin_user"},
    "OS::Glance::Signatures": {
        "img_signature",
        "img_signature_certificate_uuid",
        "img_signature_hash_method",
        "img_signature_key_type",
    },
}
KEYS = {
    *("title", "description", "type", "operators", "required", "readonly", "default", "minimum", "maximum"),
    *("minLength", "maxLength", "pattern", "enum", "minItems", "maxItems", "uniqueItems", "items"),
    "additionalItems",
}
KINDS = {"array": list, "boolean": bool, "integer": int, "number": int | float, "string": str}


def properties(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from document.get("properties", {}).items()
    for item in document.get("objects", ()):
        yield from item["properties"].items()


def refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


def check_property(name: str, schema: dict[str, Any]) -> None:
    assert 0 < len(name) <= 80
    assert schema.keys() <= KEYS
    assert schema["title"]
    assert schema["description"]
    allowed = schema.get("enum", [])
    assert len(allowed) == len(set(allowed))
    assert all(isinstance(value, KINDS[schema["type"]]) for value in allowed)
    assert schema.get("minimum", 0) <= schema.get("maximum", float("inf"))
    if schema["type"] == "array":
        choices = schema["items"].get("enum", [])
        assert schema["items"].keys() <= {"type", "enum"}
        assert len(choices) == len(set(choices))
    if "default" in schema:
        check_default(schema)


def check_default(schema: dict[str, Any]) -> None:
    default = schema["default"]
    assert isinstance(default, KINDS[schema["type"]])
    assert default in schema.get("enum", [default])
    if schema["type"] in {"integer", "number"}:
        assert schema.get("minimum", default) <= default <= schema.get("maximum", default)


def test_every_namespace_is_there_once() -> None:
    found = [document["namespace"] for document in DOCUMENTS.values()]
    assert len(found) == len(NAMESPACES) == 32
    assert set(found) == NAMESPACES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_pretty_json_without_twins(path: Path) -> None:
    text = path.read_text("utf-8")
    assert path.suffix == ".json"
    document = json.loads(text, object_pairs_hook=refuse_twins)
    assert text == json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert all(ord(character) <= 0xFFFF for character in text)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_namespace_keeps_the_limits(document: dict[str, Any]) -> None:
    name = document["namespace"]
    assert 0 < len(document["display_name"]) <= 80
    assert 0 < len(document["description"]) <= 500
    assert document["owner"] == "admin"
    assert document["protected"] is (name not in OPEN)
    assert document.get("visibility") == (None if name in WITHOUT_VISIBILITY else "public")


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_resource_types_are_known(document: dict[str, Any]) -> None:
    associations = document["resource_type_associations"]
    assert associations
    for association in associations:
        assert association.get("properties_target") == TARGETS[association["name"]]
        assert len(association.get("prefix", "")) <= 80
    prefixes = {association["name"]: association.get("prefix") for association in associations}
    assert len(prefixes) == len(associations)
    assert PREFIXES.get(document["namespace"], {}).items() <= prefixes.items()


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_properties_are_well_formed(document: dict[str, Any]) -> None:
    found = dict(properties(document))
    assert len(found) == len(list(properties(document))) > 0
    assert EXPECTED.get(document["namespace"], set()) <= found.keys()
    for name, schema in found.items():
        check_property(name, schema)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_no_name_has_the_prefix_of_its_association_twice(document: dict[str, Any]) -> None:
    prefixes = [item["prefix"] for item in document["resource_type_associations"] if "prefix" in item]
    for name, _ in properties(document):
        assert not any(name.startswith(prefix) for prefix in prefixes)


def test_all_are_loaded_and_exported_again(catalog: Catalog) -> None:
    records = catalog.records.metadefs
    report = load_metadefs(records, DOCUMENTS.items(), LoadMode.SKIP, NOON)
    assert report.failures == ()
    assert {outcome for _, outcome in report.outcomes} == {Outcome.CREATED}
    exported = {document["namespace"]: document for _, document in export_metadefs(records)}
    for document in DOCUMENTS.values():
        found = exported[document["namespace"]]
        assert found["properties"].keys() == document.get("properties", {}).keys()
        assert [item["name"] for item in found["objects"]] == [
            item["name"] for item in document.get("objects", [])
        ]
