"""What the options allow of URLs, written as Glance wants it and as it reads best."""

import pytest

from glimpse.config.rules import read_rules
from glimpse.config.settings import read_config


@pytest.mark.parametrize("form", ["{}", "[{}]", "[ {} ]"])
def test_lists_in_brackets_and_without(tmp_path_factory: pytest.TempPathFactory, form: str) -> None:
    file = tmp_path_factory.mktemp("rules") / "glance-api.conf"
    file.write_text(
        "[import_filtering_opts]\n"
        f"disallowed_hosts = {form.format('one.example,two.example')}\n"
        f"allowed_ports = {form.format('80,8080')}\n"
        f"allowed_schemes = {form.format('https')}\n"
    )
    rules = read_rules(read_config([str(file)]))
    assert rules.hosts.disallowed == {"one.example", "two.example"}
    assert rules.ports.allowed == {"80", "8080"}
    assert rules.schemes.allowed == {"https"}


@pytest.mark.parametrize("nothing", ["", "[]"])
def test_empty_lists(tmp_path_factory: pytest.TempPathFactory, nothing: str) -> None:
    file = tmp_path_factory.mktemp("rules") / "glance-api.conf"
    file.write_text(f"[import_filtering_opts]\nallowed_ports = {nothing}\n")
    assert read_rules(read_config([str(file)])).ports.allowed == frozenset()
