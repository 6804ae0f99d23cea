"""The service against its own description: whatever is sent, it answers what the description says.

Every operation of the OpenAPI document gets requests that fit it and requests that do not, on images in
every state, from several people. The examples are the same in every run;
`GLIMPSE_FUZZ_EXAMPLES=2000 pytest tests/api/test_fuzz.py` tries more, and other ones each time.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from glimpse.access.policy import OsloPolicy
from glimpse.api.operations import PATCH_TYPES
from glimpse.api.v2.routes import OPERATIONS
from glimpse.config.settings import read_settings
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import upgrade
from tests.api.world import ADMIN, ALICE, BOB, DRIFTER, READER, Client, Loop, World

ASKED = os.environ.get("GLIMPSE_FUZZ_EXAMPLES")
EXAMPLES = int(ASKED or 25)

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

MISSING = "11111111-2222-4333-8444-555555555555"


_PROPERTY = {"title": "P", "type": "string", "default": 1}
_PARTS = {
    "owner": "a",
    "resource_type_associations": [{"name": "r", "prefix": "x_"}],
    "properties": {"p": _PROPERTY},
    "objects": [{"name": "o", "properties": {"p": _PROPERTY}}],
    "tags": [{"name": "t"}],
}
_NAMESPACES = (
    {"namespace": "fuzzed", "visibility": "public", **_PARTS},
    {"namespace": "fuzzed private", **_PARTS},
)


@schemathesis.serializer(*PATCH_TYPES)
def _as_json(context: schemathesis.SerializationContext, value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass
class Shelf:
    """Images of Alice's, one in each state; what a request removes is put back before the next one."""

    alice: Client
    admin: Client
    ids: dict[str, str] = field(default_factory=dict)

    def refill(self) -> None:
        """Make what is not there (any more)."""
        for state in ("queued", "active", "deactivated", "formatless"):
            known = self.ids.get(state)
            if known is None or self.alice.get(f"/v2/images/{known}").status_code != 200:
                self.ids[state] = self._make(state)

    def refill_namespaces(self) -> None:
        """Make the namespaces anew."""
        for namespace in _NAMESPACES:
            self.admin.delete(f"/v2/metadefs/namespaces/{namespace['namespace']}")
            self.admin.post("/v2/metadefs/namespaces", namespace)

    def _make(self, state: str) -> str:
        if state == "formatless":
            return str(self.alice.create(disk_format=None, container_format=None)["id"])
        make = self.alice.create if state == "queued" else self.alice.active
        image_id = str(make(name=state, tags=["old"], os_distro="arch")["id"])
        self.alice.share(image_id, "b", "accepted")
        if state == "deactivated":
            self.alice.post(f"/v2/images/{image_id}/actions/deactivate")
        return image_id


@dataclass
class Fuzzed:
    """The world, what is in it, and its description."""

    world: World
    shelf: Shelf
    description: OpenApiSchema


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, loop: Loop, policy: OsloPolicy) -> Iterator[Fuzzed]:
    state = tmp_path_factory.mktemp("fuzzed")
    options = Path(state / "glimpse.conf")
    options.write_text("[DEFAULT]\nimage_tag_quota = 5\nimage_property_quota = 5\nimage_member_quota = 5\n")
    found = read_settings([str(options)], state_dir=state)
    upgrade(found.database_url)
    database = connect(found.database_url)
    world = World(loop, found, policy, open_records(database))
    yield Fuzzed(
        world,
        Shelf(world.client(ALICE), world.client(ADMIN)),
        schemathesis.openapi.from_asgi("/openapi.json", world.application),
    )
    world.close()
    database.close()


def _case(draw: st.DataObject, fuzzed: Fuzzed, method: str, path: str, mode: GenerationMode) -> "Case[Any]":
    """A request, that half of the time is about something that is there."""
    operation = fuzzed.description[path][method]
    case: Case[Any] = draw.draw(operation.as_strategy(generation_mode=mode))
    known: dict[str, list[Any]] = {
        "image_id": [*fuzzed.shelf.ids.values(), MISSING],
        "member_id": ["b", "c"],
        "tag": ["old", "new"],
        "name": ["image", "images", "member", "members", "namespace", "tags"],
        "namespace": ["fuzzed", "fuzzed private"],
        "object_name": ["o"],
        "property_name": ["p"],
        "tag_name": ["t"],
        "task_id": [MISSING],
        "job_id": [MISSING],
        "store_id": ["file"],
        "resource_type": ["r"],
    }
    for name in case.path_parameters or {}:
        chosen = draw.draw(st.sampled_from([*known[name], None]), label=name)
        if chosen is not None:
            case.path_parameters[name] = chosen
    return case


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize(("method", "path"), [(operation.method, operation.path) for operation in OPERATIONS])
def test_answers_are_as_described(fuzzed: Fuzzed, method: str, path: str, mode: GenerationMode) -> None:
    @settings(
        # There are many operations on metadata definitions, and most are alike.
        max_examples=EXAMPLES // 5 if "/metadefs/" in path else EXAMPLES,
        derandomize=ASKED is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if ASKED else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(draw: st.DataObject) -> None:
        if "/metadefs/" in path:
            fuzzed.shelf.refill_namespaces()
        else:
            fuzzed.shelf.refill()
        case = _case(draw, fuzzed, method, path, mode)
        persona = draw.draw(st.sampled_from([ALICE, ADMIN, BOB, READER, DRIFTER, None]), label="persona")
        if persona is not None:
            case.headers["Authorization"] = persona
        response = case.call()
        case.validate_response(response, checks=CHECKS)

    check()
