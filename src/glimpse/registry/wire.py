"""What goes over the wire between an API node and the registry: calls of the records' ports, as JSON.

All of it follows from the ports' type hints. What may be called is what `Records` and its ports declare, and
nothing else. The path of a call ends with a digest of all types that take part in it, so that two releases
understand each other in each call whose types are the same for both, and never misunderstand each other.
"""

import hashlib
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, make_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from http import HTTPStatus
from inspect import Parameter, signature
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
from cattrs.preconf.orjson import OrjsonConverter, make_converter

from glimpse.catalog.records import Records
from glimpse.domain import errors
from glimpse.domain.errors import GlimpseError, Invalid

VERSION = "v1"
CONTENT_TYPE = "application/json"

# The statuses of answers whose error is the outcome of the call.
ERROR_STATUS = HTTPStatus.UNPROCESSABLE_ENTITY
UNAVAILABLE_STATUS = HTTPStatus.SERVICE_UNAVAILABLE

_ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, GlimpseError)
}

# What reading a body may raise that is not as the types say.
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a port. `arguments` is a dataclass with a field for each parameter."""

    port: str
    verb: str
    arguments: type[Any]
    result: Any
    path: str = field(init=False)

    def __post_init__(self) -> None:
        known: dict[object, str] = {}
        spoken = f"{_spelled(self.arguments, known)}->{_spelled(self.result, known)}"
        digest = hashlib.blake2b(spoken.encode(), digest_size=8).hexdigest()
        object.__setattr__(self, "path", f"/{VERSION}/{self}/{digest}")

    def __str__(self) -> str:
        return f"{self.port}.{self.verb}"


def encode_arguments(call: Call, arguments: object) -> bytes:
    """The body of a request. :raises Invalid: a text or number that no database can keep."""
    try:
        return orjson.dumps(_CONVERTER.unstructure(arguments, call.arguments))
    except (TypeError, UnicodeError, OverflowError):
        # Texts that are not Unicode, and numbers of more than 64 bits.
        raise Invalid("value", "the database cannot keep this value") from None


def decode_arguments(call: Call, body: bytes) -> object:
    """The arguments. :raises Invalid: they are not what the call takes."""
    try:
        arguments: object = _CONVERTER.structure(orjson.loads(body), call.arguments)
    except _MALFORMED as error:
        raise Invalid("body", f"it is not what {call} takes: {type(error).__name__}: {error}") from None
    return arguments


def perform(call: Call, records: Records, arguments: Any) -> object:
    """What the method of `records` returns, or raises."""
    method = getattr(getattr(records, call.port), call.verb)
    given = [(item.kw_only, item.name, getattr(arguments, item.name)) for item in fields(arguments)]
    named = {name: value for by_name, name, value in given if by_name}
    # By position, since implementations may have other names for the rest.
    return method(*(value for by_name, _, value in given if not by_name), **named)


def encode_result(call: Call, result: object) -> bytes:
    """The body of an answer."""
    return orjson.dumps(_CONVERTER.unstructure(result, call.result))


def decode_result(call: Call, body: bytes) -> Any:
    """What the call returned. :raises ValueError: it is not what the call returns."""
    try:
        return _CONVERTER.structure(orjson.loads(body), call.result)
    except _MALFORMED as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def encode_error(error: GlimpseError) -> bytes:
    """The body of an answer that is an error; one of a part's own goes as the kind of ours that it is."""
    name = next(kind.__name__ for kind in type(error).__mro__ if _ERRORS.get(kind.__name__) is kind)
    known = {item.name for item in fields(_ERRORS[name])}
    told = {key: value for key, value in asdict(error).items() if key in known}
    return orjson.dumps({"error": name, "fields": told})


def decode_error(body: bytes) -> GlimpseError:
    """The error, of the same type as on the other side. :raises ValueError: it is none."""
    try:
        said = orjson.loads(body)
        return _CONVERTER.structure(said["fields"], _ERRORS[said["error"]])
    except _MALFORMED as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _make_calls() -> Mapping[str, Mapping[str, Call]]:
    ports = get_type_hints(Records)
    return {name: _calls_of(name, ports[name]) for name in (item.name for item in fields(Records))}


def _calls_of(port: str, protocol: type) -> Mapping[str, Call]:
    verbs = {name: each for name, each in vars(protocol).items() if isinstance(each, types.FunctionType)}
    return {name: _call(port, name, each) for name, each in verbs.items() if not name.startswith("_")}


def _call(port: str, verb: str, method: types.FunctionType) -> Call:
    hints = get_type_hints(method)
    parameters = list(signature(method).parameters.values())[1:]
    made = make_dataclass(
        f"{port}_{verb}", [(each.name, hints[each.name], _field(each)) for each in parameters]
    )
    return Call(port, verb, made, hints["return"])


def _field(parameter: Parameter) -> Any:
    only_by_name = parameter.kind is Parameter.KEYWORD_ONLY
    if parameter.default is Parameter.empty:
        return field(kw_only=only_by_name)
    return field(default=parameter.default, kw_only=only_by_name)


def _spelled(hint: Any, known: dict[object, str]) -> str:
    """A type in words that change when what it looks like on the wire does."""
    if is_dataclass(hint) and isinstance(hint, type):
        if hint not in known:
            known[hint] = hint.__name__
            hints = get_type_hints(hint)
            inner = (
                f"{item.name}:{_spelled(hints[item.name], known)}{_default(item)}" for item in fields(hint)
            )
            return f"{hint.__name__}({','.join(inner)})"
        return known[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"{hint.__name__}({','.join(str(member.value) for member in hint)})"
    if get_origin(hint) is None:
        return getattr(hint, "__name__", str(hint))
    inner = (_spelled(each, known) if each is not ... else "..." for each in get_args(hint))
    return f"{_name(get_origin(hint))}[{','.join(inner)}]"


def _default(item: Field[Any]) -> str:
    return "" if item.default is MISSING and item.default_factory is MISSING else "="


def _name(origin: Any) -> str:
    return "Union" if origin in (Union, types.UnionType) else str(origin.__name__)


def _make_converter() -> OrjsonConverter:
    converter = make_converter(detailed_validation=False)
    converter.register_structure_hook(type(None), lambda *_: None)
    converter.register_unstructure_hook_func(_is_object, _tagged)
    converter.register_structure_hook_func(_is_object, lambda value, _: _untagged(value))
    converter.register_unstructure_hook_func(_is_collection, list)
    converter.register_structure_hook_func(_is_collection, lambda value, _: tuple(value))
    converter.register_structure_hook_func(_is_text_union, _text)
    return converter


def _is_object(hint: Any) -> bool:
    return hint is object


def _tagged(value: object) -> object:
    """A value of which the ports do not tell the type: what JSON has no word for is named."""
    match value:
        case datetime():
            return ["datetime", value.isoformat()]
        case tuple():
            return ["tuple", [_tagged(each) for each in value]]
        case Mapping() | Sequence() if not isinstance(value, str):
            return ["json", value]
    return value


def _untagged(value: object) -> object:
    match value:
        case ["datetime", str(text)]:
            return datetime.fromisoformat(text)
        case ["tuple", [*values]]:
            return tuple(_untagged(each) for each in values)
        case ["json", document]:
            return document
        case [*_] | {}:
            raise ValueError("a value without the name of its type")
    return value


def _is_collection(hint: Any) -> bool:
    return get_origin(hint) is Collection


def _is_text_union(hint: Any) -> bool:
    """One of an enumeration, or any text, or None."""
    kinds = set(get_args(hint)) - {type(None)}
    is_union = get_origin(hint) in (Union, types.UnionType)
    return (
        is_union and {str} < kinds and all(isinstance(kind, type) and issubclass(kind, str) for kind in kinds)
    )


def _text(value: str | None, hint: Any) -> str | None:
    enumerations: set[type[StrEnum]] = set(get_args(hint)) - {str, type(None)}
    found = [kind(value) for kind in enumerations if value in set(kind)]
    return found[0] if found else value


_CONVERTER = _make_converter()

# By the name of the port and of the method.
PORTS: Mapping[str, Mapping[str, Call]] = _make_calls()

# By the path of the request.
CALLS: Mapping[str, Call] = {call.path: call for calls in PORTS.values() for call in calls.values()}
