"""Everything that can go wrong, as data.

GlimpseError
├── Invalid                   a field of the request breaks a rule
├── SizeMismatch              the bytes are fewer or more than announced
├── ChecksumMismatch          the bytes have another checksum than announced
├── SignatureInvalid          the bytes are not those that were signed
├── Unauthenticated           nobody, or not who they say
├── Forbidden                 known, but not allowed
├── ReadOnly                  an attribute that only the service writes
├── Reserved                  a name that only the service uses
├── NotFound                  not there, or not visible to the caller
├── NotEnabled                a part of the API that this service has switched off
├── Conflict                  the state of things forbids it now
│   ├── Duplicate             the name is taken
│   └── StoreObjectInUse      the store cannot let go of the bytes
├── Gone                      it was there when the request began
├── LimitExceeded             a quota or a size limit, by name and value
├── UnsupportedContent        the bytes or their media type are not acceptable
├── RangeNotSatisfiable       no such bytes in this image
├── TooManyAttempts           wrong passwords, one after the other
└── Unavailable               a part behind the service does not answer

An error holds fields; its text is made from them. `code` is stable: clients and tests may rely on it.
`api/problems.py` is the only place that knows how each becomes an HTTP answer.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(eq=False)
class GlimpseError(Exception):
    """The root of the tree. Never raised itself."""

    code: ClassVar[str] = "error"

    def __str__(self) -> str:
        return self.code


@dataclass(eq=False)
class Invalid(GlimpseError):
    """The value of `field` breaks the rule that `reason` states."""

    code: ClassVar[str] = "invalid"
    field: str
    reason: str

    def __str__(self) -> str:
        return f"Invalid {self.field}: {self.reason}"


@dataclass(eq=False)
class SizeMismatch(GlimpseError):
    """The announced number of bytes and the received one differ."""

    code: ClassVar[str] = "size-mismatch"
    announced: int
    received: int

    def __str__(self) -> str:
        relation = "more than" if self.received > self.announced else "only"
        return f"Size mismatch: {self.announced} bytes were announced, {relation} {self.received} arrived"


@dataclass(eq=False)
class ChecksumMismatch(GlimpseError):
    """The announced checksum and that of the received bytes differ."""

    code: ClassVar[str] = "checksum-mismatch"
    announced: str
    received: str

    def __str__(self) -> str:
        return f"Checksum mismatch: {self.announced} was announced, the data has {self.received}"


@dataclass(eq=False)
class SignatureInvalid(GlimpseError):
    """The bytes are not those that the image's signature is of."""

    code: ClassVar[str] = "signature-invalid"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class Unauthenticated(GlimpseError):
    """No credentials, or wrong ones."""

    code: ClassVar[str] = "unauthenticated"
    reason: str = "This server could not verify that you may access what you asked for."

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class Forbidden(GlimpseError):
    """The caller may not do this."""

    code: ClassVar[str] = "forbidden"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class ReadOnly(GlimpseError):
    """Only the service writes this attribute."""

    code: ClassVar[str] = "read-only"
    field: str

    def __str__(self) -> str:
        return f"Attribute '{self.field}' is read-only."


@dataclass(eq=False)
class Reserved(GlimpseError):
    """Only the service uses this name."""

    code: ClassVar[str] = "reserved"
    field: str

    def __str__(self) -> str:
        return f"Attribute '{self.field}' is reserved."


@dataclass(eq=False)
class NotFound(GlimpseError):
    """There is no such thing for this caller."""

    code: ClassVar[str] = "not-found"
    kind: str
    name: str

    def __str__(self) -> str:
        return f"No {self.kind} found with ID {self.name}"


@dataclass(eq=False)
class NotEnabled(GlimpseError):
    """This part of the API is switched off here."""

    code: ClassVar[str] = "not-enabled"
    feature: str

    def __str__(self) -> str:
        return f"The {self.feature} is not enabled on this service."


@dataclass(eq=False)
class Conflict(GlimpseError):
    """What is asked for does not fit the present state; nothing was changed."""

    code: ClassVar[str] = "conflict"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class Duplicate(Conflict):
    """The name is taken."""

    code: ClassVar[str] = "duplicate"


@dataclass(eq=False)
class StoreObjectInUse(Conflict):
    """The store says that something still depends on the bytes."""

    code: ClassVar[str] = "store-object-in-use"


@dataclass(eq=False)
class Gone(GlimpseError):
    """The image disappeared while the request was under way."""

    code: ClassVar[str] = "gone"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class LimitExceeded(GlimpseError):
    """A limit, by the name of its option, and its value."""

    code: ClassVar[str] = "limit-exceeded"
    limit: str
    maximum: int
    attempted: int | None = None
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        text = f"The limit {self.limit} of {self.maximum}{unit} would be exceeded"
        return text if self.attempted is None else f"{text}: attempted {self.attempted}{unit}"


@dataclass(eq=False)
class UnsupportedContent(GlimpseError):
    """The content, or its media type, is not acceptable here."""

    code: ClassVar[str] = "unsupported-content"
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class RangeNotSatisfiable(GlimpseError):
    """The range asked for lies outside the image, or is no range."""

    code: ClassVar[str] = "range-not-satisfiable"
    size: int
    asked: str

    def __str__(self) -> str:
        return f"The range '{self.asked}' cannot be served from an image of {self.size} bytes."


@dataclass(eq=False)
class TooManyAttempts(GlimpseError):
    """Too many wrong passwords: try again later."""

    code: ClassVar[str] = "too-many-attempts"
    retry_after_seconds: int

    def __str__(self) -> str:
        return f"Too many failed attempts; try again in {self.retry_after_seconds} s."


@dataclass(eq=False)
class Unavailable(GlimpseError):
    """A part that the service depends on does not answer or refuses to work."""

    code: ClassVar[str] = "unavailable"
    part: str
    reason: str

    def __str__(self) -> str:
        return f"The {self.part} is not available: {self.reason}"
