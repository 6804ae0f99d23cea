"""The types of stores that the options can ask for: one module for each, listed here."""

from glimpse.config.backends import cinder, files, gridfs, http, rbd, s3, sheepdog, swift, vmware
from glimpse.config.backends.kind import Kind

KINDS: tuple[Kind, ...] = (
    files.KIND,
    http.KIND,
    rbd.KIND,
    swift.KIND,
    s3.KIND,
    cinder.KIND,
    vmware.KIND,
    gridfs.KIND,
    sheepdog.KIND,
)

OPTIONS = tuple(option for kind in KINDS for option in kind.options)


def kind_of(written: str) -> Kind | None:
    """The type of store that the options call so; None: there is none."""
    return next((kind for kind in KINDS if written in kind.types), None)
