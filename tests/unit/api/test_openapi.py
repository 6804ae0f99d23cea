import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from glimpse import __version__
from glimpse.api.openapi import COMMON_ERRORS, openapi_document, reading_page
from glimpse.api.operations import PATCH_TYPES, Body, Operation
from glimpse.api.v2.routes import OPERATIONS
from glimpse.domain.attributes import attribute_table

DOCUMENT = openapi_document(OPERATIONS, attribute_table())


def _name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def _description(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return described


def test_paths_are_exactly_the_operations() -> None:
    described = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert described == {(operation.method, operation.path) for operation in OPERATIONS}
    assert len(described) == len(OPERATIONS)


def test_head() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == __version__
    for requirement in DOCUMENT["security"]:
        assert requirement.keys() <= DOCUMENT["components"]["securitySchemes"].keys()


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
def test_each_operation_is_described(operation: Operation) -> None:
    described = _description(operation)
    assert described["summary"]
    assert all(response["description"] for response in described["responses"].values())
    expected = {operation.success, *operation.errors, *COMMON_ERRORS}
    assert set(described["responses"]) == {str(status.value) for status in expected}
    in_path = [p["name"] for p in described["parameters"] if p["in"] == "path"]
    assert in_path == re.findall(r"{(\w+)}", operation.path)
    assert all(p["required"] for p in described["parameters"] if p["in"] == "path")


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
def test_each_operation_describes_its_body(operation: Operation) -> None:
    body = _description(operation).get("requestBody")
    media = {
        Body.NONE: None,
        Body.IGNORED: None,
        Body.JSON: {"application/json"},
        Body.PATCH: set(PATCH_TYPES),
        Body.DATA: {"application/octet-stream"},
    }[operation.body]
    assert (set(body["content"]) if body else None) == media


@pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
def test_each_operation_has_one_handler(operation: Operation) -> None:
    assert (operation.handler is None) is not (operation.data_handler is None)
    handler = operation.handler or operation.data_handler
    first_line = (handler.__doc__ or "").splitlines()[0]
    assert first_line in (_name(operation), f"{operation.method} {operation.path}")


def test_operation_ids_are_unique() -> None:
    names = [_description(operation)["operationId"] for operation in OPERATIONS]
    assert len(set(names)) == len(names)


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _references(part)


def test_references_resolve() -> None:
    references = set(_references(DOCUMENT))
    assert references
    for reference in references:
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def test_all_schemas_are_used() -> None:
    used = {reference.rsplit("/", 1)[1] for reference in _references(DOCUMENT)}
    assert set(DOCUMENT["components"]["schemas"]) == used


def test_what_clients_may_not_write_is_not_in_a_new_image() -> None:
    writable = DOCUMENT["components"]["schemas"]["NewImage"]["properties"]
    assert set(writable) == (
        {"id", "name", "visibility", "protected", "os_hidden", "owner", "container_format", "disk_format"}
        | {"tags", "min_ram", "min_disk"}
    )


def test_success_statuses_of_the_api() -> None:
    success = {_name(operation): operation.success for operation in OPERATIONS}
    assert success["POST /v2/images"] is HTTPStatus.CREATED
    assert success["POST /v2/images/{image_id}/members"] is HTTPStatus.OK
    assert success["PUT /v2/images/{image_id}/file"] is HTTPStatus.NO_CONTENT
    assert success["DELETE /v2/images/{image_id}"] is HTTPStatus.NO_CONTENT


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = reading_page()
    assert "openapi.json" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
