"""SIGHUP makes new workers with the settings as they are now, and does not close the door meanwhile."""

import signal

from tests.commands.glance import GlanceApi


def configure(glance: GlanceApi, text: str) -> None:
    glance.config.write_text(
        f"[DEFAULT]\nbind_port = {glance.port}\n{text}\n"
        f"[glimpse]\nstate_dir = {glance.folder}/state\nauth_strategy = noauth\n"
    )


def location(glance: GlanceApi) -> str:
    """The public endpoint, as version links have it."""
    answer = glance.get("/versions")
    assert answer.status_code == 200
    link: str = answer.json()["versions"][0]["links"][0]["href"]
    return link


def test_settings_are_read_again(glance: GlanceApi) -> None:
    configure(glance, "public_endpoint = http://one.example")
    glance.start()
    assert glance.process is not None
    assert location(glance).startswith("http://one.example")
    configure(glance, "public_endpoint = http://two.example")
    glance.process.send_signal(signal.SIGHUP)
    # Each of these is answered: the socket stays open.
    glance.wait(lambda: location(glance).startswith("http://two.example"))
    assert glance.stop() == 0


def test_settings_that_will_not_do_leave_the_service_as_it_was(glance: GlanceApi) -> None:
    configure(glance, "public_endpoint = http://one.example")
    glance.start()
    assert glance.process is not None
    configure(glance, "public_endpoint = http://two.example\nlimit_param_default = few")
    glance.process.send_signal(signal.SIGHUP)
    glance.wait(lambda: "aborting the restart" in glance.log)
    assert "limit_param_default" in glance.log
    assert location(glance).startswith("http://one.example")
    configure(glance, "public_endpoint = http://two.example")
    glance.process.send_signal(signal.SIGHUP)
    glance.wait(lambda: location(glance).startswith("http://two.example"))


def test_a_wrong_value_keeps_it_from_starting(glance: GlanceApi) -> None:
    configure(glance, "workers = many")
    assert glance.launch().wait(15) == 1
    assert f"ERROR: Invalid workers: {glance.config}:3: " in glance.log


def test_a_certificate_that_will_not_do_keeps_it_from_starting(glance: GlanceApi) -> None:
    path = glance.folder / "pair.pem"
    configure(glance, f"cert_file = {path}\nkey_file = {path}")
    for text in (None, "no certificate"):
        if text:
            path.write_text(text)
        assert glance.launch().wait(15) == 1
    assert glance.log.count("ERROR: Invalid cert_file: ") == 2


def test_the_command_line_wins(glance: GlanceApi) -> None:
    configure(glance, "debug = false")
    glance.start("--debug", "--log-file", str(glance.folder / "api.log"))
    glance.get("/v2/images")
    assert " DEBUG " in (glance.folder / "api.log").read_text()
    assert "listening on" not in glance.log
