"""The verbs of operators on metadata definitions: into the database from files, and out again.

A file is its name and the JSON document in it. Each is taken in one transaction, or left alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from glimpse.catalog.metadef_ports import LoadMode, MetadefRecords, NamespaceQuery, Outcome
from glimpse.domain.caller import Caller
from glimpse.domain.errors import GlimpseError, NotFound, Unavailable
from glimpse.domain.metadef_documents import Document, read_namespace, write_definition
from glimpse.domain.metadefs import Definition, Namespace

# Whose a namespace is when its file does not say.
DEFAULT_OWNER = "admin"

_EVERYBODY = Caller(is_admin=True)
_PAGE = 100
_NOT_WORD = re.compile(r"[^\w-]+")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of each file, by its name: an outcome, or the reason why it was not taken."""

    outcomes: tuple[tuple[str, Outcome], ...]
    failures: tuple[tuple[str, str], ...]

    def count(self, outcome: Outcome) -> int:
        """How many files had this outcome."""
        return sum(found is outcome for _, found in self.outcomes)


def load_metadefs(
    records: MetadefRecords, files: Iterable[tuple[str, object]], mode: LoadMode, now: datetime
) -> Report:
    """Bring namespaces in; one that is there already is treated as `mode` says.

    SKIP leaves it alone. MERGE adds what is missing. PREFER_NEW also replaces what both have. OVERWRITE drops
    all it had. What is wrong with a file is in the report, and the others are taken.

    :raises Unavailable: the database does not answer.
    """
    return _report(files, lambda definition: records.load(definition, mode, now))


def foresee_loading(records: MetadefRecords, files: Iterable[tuple[str, object]], mode: LoadMode) -> Report:
    """What `load_metadefs` would report; nothing is changed. Raises as it does."""
    present = {LoadMode.SKIP: Outcome.SKIPPED, LoadMode.OVERWRITE: Outcome.OVERWRITTEN}.get(
        mode, Outcome.MERGED
    )

    def outcome(definition: Definition) -> Outcome:
        try:
            records.get(definition.namespace.namespace)
        except NotFound:
            return Outcome.CREATED
        return present

    return _report(files, outcome)


def _report(files: Iterable[tuple[str, object]], take: Callable[[Definition], Outcome]) -> Report:
    outcomes: list[tuple[str, Outcome]] = []
    failures: list[tuple[str, str]] = []
    for name, document in files:
        try:
            outcomes.append((name, take(read_namespace(document, DEFAULT_OWNER))))
        except Unavailable:
            raise
        except GlimpseError as error:
            failures.append((name, f"{name}: {error}"))
    return Report(tuple(outcomes), tuple(failures))


def export_metadefs(records: MetadefRecords) -> Iterator[tuple[str, Document]]:
    """File names and documents of all namespaces, such as `load_metadefs` takes."""
    taken: set[str] = set()
    for namespace in all_namespaces(records):
        name = _file_name(namespace, taken)
        taken.add(name.lower())
        yield name, write_definition(Definition(namespace, tuple(records.parts(namespace))))


def unload_metadefs(records: MetadefRecords) -> None:
    """Delete all namespaces with all that belongs to them, and all types of resource."""
    records.clear()


def all_namespaces(records: MetadefRecords) -> Iterator[Namespace]:
    """Every namespace, by its name."""
    query = NamespaceQuery(_PAGE, "namespace", descending=False)
    while found := records.page(query, _EVERYBODY):
        yield from found
        query = replace(query, marker=found[-1])


def _file_name(namespace: Namespace, taken: set[str]) -> str:
    """The display name without what file systems do not like; the namespace's own where that is taken."""
    for text in (namespace.display_name or "", namespace.namespace, f"namespace-{namespace.id}"):
        name = f"{_NOT_WORD.sub('', text)}.json"
        if name != ".json" and name.lower() not in taken:
            return name
    return f"namespace-{namespace.id}-{len(taken)}.json"
