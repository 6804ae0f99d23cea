"""The operator's paste file: which filters a request passes, by the flavor.

Only the file is read; its Python factories are not run. What each filter of Glance does is done by parts of
our own, and a filter that is not known is refused, since leaving it out may open what it kept shut.
"""

import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg
from oslo_utils.strutils import bool_from_string

from glimpse.config.files import Source
from glimpse.config.registry import PROGRAM as REGISTRY
from glimpse.domain.errors import Invalid

# How a filter's factory ends, and what the filter is. The first that fits counts.
_FACTORIES = {
    "auth_token:filter_factory": "authtoken",
    ":UnauthenticatedContextMiddleware.factory": "unauthenticated-context",
    ":ContextMiddleware.factory": "context",
    ":VersionNegotiationFilter.factory": "versionnegotiation",
    "cors:filter_factory": "cors",
    "#cors": "cors",
    ":HTTPProxyToWSGI.factory": "http_proxy_to_wsgi",
    "#http_proxy_to_wsgi": "http_proxy_to_wsgi",
    ":Healthcheck.factory": "healthcheck",
    "#healthcheck": "healthcheck",
    ":WsgiMiddleware.factory": "osprofiler",
    ":CacheManageFilter.factory": "cachemanage",
    ":CacheFilter.factory": "cache",
    ":GzipMiddleware.factory": "gzip",
}

# What these filters are for is not done.
_WITHOUT_EFFECT = ("gzip",)

# What the health check may be in a paste file.
_HEALTH = ("app", "filter")

_HEAD = ("cors", "http_proxy_to_wsgi", "versionnegotiation", "osprofiler")
# The flavors of the files that come with Glance, by application, for those who have none.
_API_FLAVORS = {
    f"{access}{cache}".strip("+"): (*_HEAD, *identity, *filters)
    for access, identity in {
        "": ("unauthenticated-context",),
        "keystone": ("authtoken", "context"),
    }.items()
    for cache, filters in {
        "": (),
        "+caching": ("cache",),
        "+cachemanagement": ("cache", "cachemanage"),
    }.items()
}
_REGISTRY_FLAVORS = {
    "": ("healthcheck", "osprofiler", "unauthenticated-context"),
    "keystone": ("healthcheck", "osprofiler", "authtoken", "context"),
    "trusted-auth": ("healthcheck", "osprofiler", "context"),
}
_SHIPPED = {"glance-api": _API_FLAVORS, "glance-registry": _REGISTRY_FLAVORS}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The filters that a request passes, by Glance's names for them, in order; and the file that says so."""

    file: str | None
    filters: tuple[str, ...]
    # What the file says of the health check, if it does.
    disable_by_file_path: str | None = None
    detailed_health: bool | None = None

    @property
    def by_keystone(self) -> bool:
        """Whether callers are known by tokens of Keystone; else everybody is administrator."""
        return "authtoken" in self.filters

    @property
    def without_effect(self) -> list[str]:
        """The filters that do nothing here."""
        return [name for name in self.filters if name in _WITHOUT_EFFECT]


def read_pipeline(config: cfg.ConfigOpts, source: Source) -> Pipeline:
    """The pipeline of the flavor that is configured.

    :raises Invalid: the file cannot be read, has no such flavor, or a filter that is not known.
    """
    flavor = config.paste_deploy.flavor or ""
    application = REGISTRY if source.program == REGISTRY else "glance-api"
    path = _find(config, source, application)
    if path is None:
        shipped = _SHIPPED[application]
        if flavor not in shipped:
            raise Invalid("flavor", f"there is no paste file, and Glance's own has no flavor '{flavor}'")
        return Pipeline(None, shipped[flavor])
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    try:
        parser.read_string(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise Invalid("config_file", f"{path}: {error}") from None
    name = f"{application}-{flavor}" if flavor else application
    words = _walk(_File(path, parser, flavor), name, set())
    pipeline = Pipeline(path, tuple(words), *_health(parser))
    # Nodes show the registry who they are by other means, too; the API knows callers by their tokens alone.
    if ("context" in pipeline.filters) != pipeline.by_keystone and application != REGISTRY:
        raise Invalid("flavor", f"{path}: authtoken and context go together in the pipeline {name}")
    if not {"context", "unauthenticated-context"} & set(pipeline.filters):
        raise Invalid("flavor", f"{path}: the pipeline {name} has no context")
    return pipeline


def _health(parser: configparser.ConfigParser) -> tuple[str | None, bool | None]:
    """The file that disables the health check, and whether that says why, as far as the paste file tells."""

    def named(name: str) -> str | None:
        found = (parser.get(f"{kind}:healthcheck", name, fallback=None) for kind in _HEALTH)
        return next((value for value in found if value), None)

    detailed = named("detailed")
    return named("disable_by_file_path"), None if detailed is None else bool_from_string(detailed)


def _find(config: cfg.ConfigOpts, source: Source, application: str) -> str | None:
    named = config.paste_deploy.config_file
    if named:
        return str(Path(named).absolute())
    last = [Path(path).stem for path in source.files[-1:]]
    found = (config.find_file(f"{stem}-paste.ini") for stem in (*last, application))
    return next((path for path in found if path), None)


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    parser: configparser.ConfigParser
    flavor: str

    def section(self, kind: str, name: str) -> configparser.SectionProxy | None:
        known = self.parser.has_section(f"{kind}:{name}")
        return self.parser[f"{kind}:{name}"] if known else None


def _walk(file: _File, name: str, seen: set[str]) -> Iterator[str]:
    """The filters on the way to the application `name`."""
    if name in seen:
        raise Invalid("config_file", f"{file.path}: {name} refers to itself")
    seen.add(name)
    composite = file.section("composite", name)
    pipeline = file.section("pipeline", name)
    words: list[str] = []
    if pipeline is not None:
        words = pipeline.get("pipeline", "").split()
    elif composite is not None and "pipeline_factory" in composite.get("paste.composite_factory", ""):
        words = composite.get(file.flavor or "default", "").split()
    elif composite is not None:
        words = composite.get("/", "").split()
    elif file.section("app", name) is not None:
        return
    if not words:
        raise Invalid("flavor", f"{file.path}: there is no pipeline {name} for the flavor '{file.flavor}'")
    for word in words[:-1]:
        yield _filter(file, word)
    yield from _walk(file, words[-1], seen)


def _filter(file: _File, name: str) -> str:
    section = file.section("filter", name)
    if section is None:
        raise Invalid("config_file", f"{file.path}: there is no filter {name}")
    factory = section.get("paste.filter_factory", section.get("use", ""))
    for end, known in _FACTORIES.items():
        if factory.endswith(end):
            return known
    raise Invalid("config_file", f"{file.path}: the filter {name} ({factory}) is not known")
