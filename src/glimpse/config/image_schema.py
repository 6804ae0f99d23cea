"""The file `schema-image.json`: well-known custom properties and their values."""

from pathlib import Path

import orjson
from oslo_config import cfg

from glimpse.domain.errors import GlimpseError, Invalid
from glimpse.domain.properties import KnownProperties, check_schemas

NAME = "schema-image.json"
DEFAULT = Path(__file__).with_name(NAME)


def read_known_properties(config: cfg.ConfigOpts) -> KnownProperties:
    """What the operator's file says, which is looked for beside the configuration; without one, ours.

    It is a map of JSON schemas by property, or an object with such `properties` and the names that are
    `required` of new images.

    :raises Invalid: the file cannot be read or is none; names it.
    """
    path = Path(config.find_file(NAME) or DEFAULT)
    try:
        document = orjson.loads(path.read_bytes())
        known = _known(document)
        check_schemas(known)
    except (OSError, orjson.JSONDecodeError, GlimpseError) as error:
        raise Invalid(NAME, f"{path}: {error}") from None
    return known


def _known(document: object) -> KnownProperties:
    if not isinstance(document, dict):
        raise Invalid("document", "an object is expected")
    extended = isinstance(document.get("properties"), dict) and document.keys() <= {"properties", "required"}
    if not extended:
        return KnownProperties(document)
    required = document.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise Invalid("required", "a list of names is expected")
    return KnownProperties(document["properties"], frozenset(required))
