import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.config.logs import mask_secrets, set_up_logs
from glimpse.config.parts import LogSettings
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.correlation import REQUEST
from glimpse.domain.errors import Invalid


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger as in a new process."""
    logger = logging.getLogger()
    level = logger.level
    _take_off_handlers(logger)
    yield logger
    _take_off_handlers(logger)
    logger.setLevel(level)


def _take_off_handlers(logger: logging.Logger) -> None:
    for handler in [handler for handler in logger.handlers if handler.name == "glimpse"]:
        handler.close()
        logger.removeHandler(handler)


def logging_to(file: Path) -> Settings:
    return replace(read_settings(), logs=LogSettings(debug=False, file=file, to_stderr=True))


def test_a_file_that_logrotate_may_move(tmp_path: Path, root: logging.Logger) -> None:
    path = tmp_path / "api.log"
    set_up_logs(replace(read_settings(), logs=LogSettings(debug=True, file=path, to_stderr=False)))
    logging.getLogger("a.b").debug("first %s", "line")
    path.rename(tmp_path / "old.log")
    logging.getLogger("a.b").warning("second: %s", {"password": "hidden"})
    assert (tmp_path / "old.log").read_text().endswith(" DEBUG a.b [-] first line\n")
    assert " WARNING a.b [-] second: " in path.read_text()
    assert "hidden" not in path.read_text()
    assert root.level == logging.DEBUG


def test_once_only(tmp_path: Path, root: logging.Logger) -> None:
    for name in ("a", "b"):
        set_up_logs(
            replace(read_settings(), logs=LogSettings(debug=False, file=tmp_path / name, to_stderr=True))
        )
    assert [handler.name for handler in root.handlers].count("glimpse") == 2
    assert not (tmp_path / "b").exists()


def test_a_file_that_cannot_be_written(tmp_path: Path, root: logging.Logger) -> None:
    with pytest.raises(Invalid, match="log_file"):
        set_up_logs(
            replace(
                read_settings(),
                logs=LogSettings(debug=False, file=tmp_path / "absent" / "x.log", to_stderr=True),
            )
        )
    assert "glimpse" not in [handler.name for handler in root.handlers]


@pytest.mark.parametrize(
    "text",
    ["mysql+pymysql://glance:s3cret@db/glance", "'password': 's3cret'", "'admin_password': u's3cret'"],
)
def test_secrets(text: str) -> None:
    assert "s3cret" not in mask_secrets(f"{text} and more")
    assert mask_secrets(f"{text} and more").endswith(" and more")


def test_lines_name_the_request(tmp_path: Path, root: logging.Logger) -> None:
    path = tmp_path / "api.log"
    set_up_logs(logging_to(path))
    context = copy_context()
    context.run(REQUEST.set, "req-1")
    context.run(logging.getLogger("a.b").warning, "within")
    logging.getLogger("a.b").warning("without")
    within, without = path.read_text().splitlines()
    assert within.endswith(" WARNING a.b [req-1] within")
    assert without.endswith(" WARNING a.b [-] without")
    assert root.handlers


def test_json(tmp_path: Path, root: logging.Logger) -> None:
    path = tmp_path / "api.log"
    set_up_logs(replace(logging_to(path), logs=LogSettings(False, path, to_stderr=False, use_json=True)))
    context = copy_context()
    context.run(REQUEST.set, "req-1")
    try:
        raise ValueError("mysql://glance:s3cret@db/glance")
    except ValueError:
        context.run(logging.getLogger("a.b").exception, "at %d %s", 7, {"password": "s3cret"})
    logging.getLogger("a.b").info("moved", extra={"extra": {"bytes": 5}})
    assert "s3cret" not in path.read_text()
    failed, moved = map(json.loads, path.read_text().splitlines())
    assert failed["message"].startswith("at 7 ")
    assert failed["context"] == {"request_id": "req-1"}
    assert failed["error_summary"] == "ValueError: mysql://glance:***@db/glance"
    assert failed["traceback"].startswith("Traceback")
    assert (moved["levelname"], moved["name"], moved["extra"]) == ("INFO", "a.b", {"bytes": 5})
    assert (moved["context"], moved["traceback"], moved["error_summary"]) == ({}, None, "")
    assert root.handlers


def test_the_fields_are_those_of_oslo_log(tmp_path: Path, root: logging.Logger) -> None:
    formatters = pytest.importorskip("oslo_log.formatters")
    path = tmp_path / "api.log"
    set_up_logs(replace(logging_to(path), logs=LogSettings(False, path, to_stderr=False, use_json=True)))
    logging.getLogger("a.b").info("a line")
    [ours] = map(json.loads, path.read_text().splitlines())
    record = logging.getLogger("a.b").makeRecord("a.b", logging.INFO, "f", 1, "a line", (), None)
    assert ours.keys() == json.loads(formatters.JSONFormatter().format(record)).keys()
    assert root.handlers
