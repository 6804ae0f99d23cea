"""What the commands of `glimpse compute` share: options, and how they reach the host and the cloud."""

from pathlib import Path

import click

from glimpse.compute.cloud import Cloud, connect
from glimpse.compute.instances import Host
from glimpse.compute.launch import Source
from glimpse.compute.signatures import Signatures
from glimpse.config.logs import set_up_logs
from glimpse.config.settings import Settings, read_config, read_settings
from glimpse.parts import key_manager_of
from glimpse.signing.certificates import read_trust_store

cloud_option = click.option(
    "--os-cloud",
    "cloud",
    metavar="NAME",
    help="The cloud in clouds.yaml. Default: what the OS_* variables describe.",
)
verify_option = click.option(
    "--verify-signatures/--no-verify-signatures",
    "verify",
    default=None,
    help="Whether signatures must be verified. Default: [glance] verify_glance_signatures.",
)


def host_of(config_files: tuple[str, ...], state_dir: Path | None) -> tuple[Host, Settings]:
    """The host's files, below `compute` of the state folder. The log is set up."""
    settings = read_settings(config_files, state_dir=state_dir)
    set_up_logs(settings)
    return Host(settings.state_dir / "compute"), settings


def source_of(
    settings: Settings, config_files: tuple[str, ...], cloud: str | None, verify: bool | None
) -> Source:
    """Where images come from, and what they must be signed by.

    :raises Invalid: an option will not do. :raises Unavailable: the cloud does not answer.
    """
    opened = connect(cloud)
    demanded = settings.signing.verify_glance_signatures if verify is None else verify
    return Source(opened.images, _signatures(settings, config_files, opened) if demanded else None)


def _signatures(settings: Settings, config_files: tuple[str, ...], cloud: Cloud) -> Signatures:
    store = settings.signing.trust_store
    keys = key_manager_of(settings, read_config(config_files))
    return Signatures(keys, cloud.caller, None if store is None else read_trust_store(store))
