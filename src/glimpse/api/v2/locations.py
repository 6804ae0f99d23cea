"""Handlers: the places where the data of an image rests, and how they are written in documents."""

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.catalog import locations
from glimpse.catalog.location_imports import begin_location_import
from glimpse.catalog.locations import Offer
from glimpse.domain.attributes import MAX_TEXT, check_text
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Invalid
from glimpse.domain.image import Image, Location
from glimpse.transfer.locations import check_location

_HEX = re.compile("[0-9a-fA-F]+")
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_MD5_DIGITS = 32


def location_fields(service: Service, caller: Caller, image: Image) -> dict[str, Any]:
    """What an image's document says of its locations: what the operator shows and policy lets through; and
    in which of several stores they are.
    """
    stores = service.transfer.stores
    fields = _places(service, caller, image)
    if stores.several:
        held = stores.holders(stores.ordered(locations.known_locations(caller, image)))
        if held:
            fields["stores"] = ",".join(held)
    return fields


def _places(service: Service, caller: Caller, image: Image) -> dict[str, Any]:
    options = service.options
    if not (options.show_multiple_locations or options.show_image_direct_url):
        return {}
    seen = locations.seen_locations(service.catalog, caller, image)
    if seen is None:
        return {}
    ordered = service.transfer.stores.ordered(seen)
    fields: dict[str, Any] = {}
    if options.show_multiple_locations:
        fields["locations"] = [_document(location) for location in ordered]
    if options.show_image_direct_url and ordered:
        fields["direct_url"] = ordered[0].url
    return fields


def _document(location: Location) -> dict[str, Any]:
    return {"url": location.url, "metadata": dict(location.metadata)}


def read_offer(value: object, hashing_algorithm: str) -> Offer:
    """A location as PATCH carries it, with the digests that its registrar vouches for.

    :raises Invalid: it is not of that form. :raises Conflict: the digest is not by the service's algorithm.
    """
    if not isinstance(value, dict) or not {"url", "metadata"} <= value.keys():
        raise Invalid("locations", "an object with url and metadata is expected")
    unknown = sorted(value.keys() - {"url", "metadata", "validation_data"})
    if unknown:
        raise Invalid("locations", f"'{unknown[0][:40]}' is not part of a location")
    metadata = value["metadata"]
    if not isinstance(metadata, dict) or not isinstance(metadata.get("store", ""), str):
        raise Invalid("metadata", "an object is expected, in which the store is a string")
    check_text("metadata", orjson.dumps(metadata).decode(), MAX_TEXT)
    digests = value.get("validation_data", {})
    algorithm = digests.get("os_hash_algo", hashing_algorithm) if isinstance(digests, dict) else None
    if algorithm in ALGORITHMS and algorithm != hashing_algorithm:
        raise Conflict(f"The os_hash_algo of a location must be '{hashing_algorithm}'.")
    return Offer(Location(read_url(value["url"]), metadata), read_digests(digests))


def read_url(value: object) -> str:
    """The URL of a location. :raises Invalid: it is none."""
    if not isinstance(value, str) or "://" not in value:
        raise Invalid("url", "a URL with a scheme is expected")
    check_text("url", value, MAX_TEXT)
    return value


def read_digests(value: object) -> Mapping[str, str]:
    """Digests that a client vouches for: `os_hash_algo` and `os_hash_value`, and a `checksum` perhaps.

    :raises Invalid: something else, one without the other, or not as long as the algorithm's digests.
    """
    names = {"checksum", "os_hash_algo", "os_hash_value"}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Invalid("validation_data", "an object of strings is expected")
    if value.keys() - names:
        raise Invalid("validation_data", f"only {', '.join(sorted(names))} can be given")
    if not value:
        return {}
    if not {"os_hash_algo", "os_hash_value"} <= value.keys():
        raise Invalid("validation_data", "os_hash_algo and os_hash_value go together")
    if value["os_hash_algo"] not in ALGORITHMS:
        raise Invalid("os_hash_algo", f"it must be one of {', '.join(ALGORITHMS)}")
    digits = hashlib.new(value["os_hash_algo"], usedforsecurity=False).digest_size * 2
    _check_hex("os_hash_value", value["os_hash_value"], digits)
    _check_hex("checksum", value.get("checksum", "0" * _MD5_DIGITS), _MD5_DIGITS)
    return value


def _check_hex(field: str, text: str, digits: int) -> None:
    if len(text) != digits or not _HEX.fullmatch(text):
        raise Invalid(field, f"{digits} hexadecimal digits are expected")


async def add_location(service: Service, call: Call, request: Request) -> Response:
    """POST /v2/images/{image_id}/locations"""
    del request
    if not isinstance(call.body, dict):
        raise Invalid("body", "an object with a url is expected")
    digests = read_digests(call.body.get("validation_data", {}))
    if "checksum" in digests:
        raise Invalid("validation_data", "only os_hash_algo and os_hash_value can be given")
    offer = Offer(Location(read_url(call.body.get("url"))), digests)
    transfer = service.transfer
    on_the_web = any("http" in store.schemes for store in transfer.stores.by_id.values())
    await transfer.threads.record(
        begin_location_import,
        service.catalog,
        call.caller,
        call.path["image_id"],
        offer,
        partial(check_location, transfer) if on_the_web else None,
        call.request_id,
    )
    service.jobs.wake()
    return Response(status_code=HTTPStatus.ACCEPTED)


def list_locations(service: Service, call: Call) -> Response:
    """GET /v2/images/{image_id}/locations"""
    found = locations.fetch(service.catalog, call.caller, call.path["image_id"])
    body = orjson.dumps([_document(location) for location in service.transfer.stores.ordered(found)])
    return Response(body, media_type="application/json")
