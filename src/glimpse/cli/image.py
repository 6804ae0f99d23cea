"""`glimpse image`: sign the data of an image before its upload, and verify a file that was downloaded."""

import asyncio
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from glimpse.cli.places import config_option, state_option
from glimpse.config.settings import Settings, read_config, read_settings
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid
from glimpse.parts import signatures_of
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.signing.certificates import check_certificate, read_certificate, read_trust_store
from glimpse.signing.properties import HASHES, signature_of
from glimpse.signing.sign import PasswordNeeded, PrivateKey, read_private_key
from glimpse.signing.sign import sign as make_signature
from glimpse.signing.verify import Verifier

_CHUNK = 1024 * 1024

Properties = Mapping[str, str | None]


@click.group()
def image() -> None:
    """The data of images, before it is uploaded and after it was downloaded."""


@image.command("sign")
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.File("rb"),
    help="The private key (PEM): RSA, DSA, or on the curve P-384 or P-521.",
)
@click.option("--certificate", required=True, metavar="ID", help="The certificate's name in the key manager.")
@click.option("--hash", "hash_method", type=click.Choice(list(HASHES)), default="SHA-256", show_default=True)
@click.option("--flags", is_flag=True, help="Write options for `openstack image create`, on one line.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.argument("file", type=click.File("rb"))
def image_sign(
    key_file: IO[bytes], certificate: str, hash_method: str, flags: bool, as_json: bool, file: IO[bytes]
) -> None:
    """Make the properties that sign the data in FILE (-: the standard input).

    Who has FILE, the key and the certificate's ID, signs and uploads with:

      openstack image create --file FILE $(glimpse image sign --flags --key KEY --certificate ID FILE) NAME
    """
    key = _private_key(key_file.read())
    # What is wrong with the names is told before a large file is read.
    make_signature(key, hashlib.new(HASHES[hash_method]).digest(), hash_method, certificate)
    digest = hashlib.new(HASHES[hash_method])
    for chunk in _chunks(file):
        digest.update(chunk)
    properties = make_signature(key, digest.digest(), hash_method, certificate)
    if as_json:
        click.echo(json.dumps(properties, indent=2))
    elif flags:
        click.echo(" ".join(f"--property {shlex.quote(f'{name}={properties[name]}')}" for name in properties))
    else:
        for name, value in properties.items():
            click.echo(f"{name}={value}")


@image.command("verify")
@config_option
@state_option
@click.option("--image", "image_id", metavar="ID", help="The image of this service that FILE is to be.")
@click.option(
    "--properties",
    "document",
    type=click.File("rb"),
    help="The image as JSON: from GET /v2/images/ID, `openstack image show -f json` or `image sign --json`.",
)
@click.option(
    "--certificate",
    "certificate_file",
    type=click.File("rb"),
    help="The certificate (PEM or DER). Default: it comes from the service's key manager.",
)
@click.argument("file", type=click.File("rb"))
def image_verify(
    config_files: tuple[str, ...],
    state_dir: Path | None,
    image_id: str | None,
    document: IO[bytes] | None,
    certificate_file: IO[bytes] | None,
    file: IO[bytes],
) -> None:
    """Verify that FILE (-: the standard input) is what the signature of an image is of.

    The exit status is 1 if it is not. Barbican is asked in the name of OS_TOKEN and OS_PROJECT_ID in the
    environment.
    """
    settings = read_settings(config_files, state_dir=state_dir)
    if (image_id is None) == (document is None):
        raise click.UsageError("One of --image and --properties is needed.")
    properties = _recorded(settings, image_id) if image_id is not None else _read_properties(document)
    certificate = None if certificate_file is None else certificate_file.read()
    verifier = _verifier(settings, properties, certificate)
    for chunk in _chunks(file):
        verifier.update(chunk)
    verifier.finish()
    signature, subject = verifier.signature, verifier.certificate.subject.rfc4514_string()
    click.echo(
        f"Verified: {signature.key_type} with {signature.hash_method}, by the certificate of {subject}."
    )


def _private_key(data: bytes) -> PrivateKey:
    try:
        return read_private_key(data)
    except PasswordNeeded:
        return read_private_key(data, click.prompt("Password of the key", hide_input=True, err=True))


def _recorded(settings: Settings, image_id: str) -> Properties:
    """:raises NotFound: there is no such image."""
    database = connect(settings.database_url)
    try:
        return open_records(database).images.get(image_id, None).properties
    finally:
        database.close()


def _read_properties(document: IO[bytes] | None) -> Properties:
    """:raises Invalid: it is not an image as JSON."""
    found: Any = None
    if document is not None:
        with suppress(ValueError):
            found = json.load(document)
    if not isinstance(found, dict):
        raise Invalid("properties", "a JSON object is expected")
    # The openstack command shows properties apart from attributes.
    inner = found.get("properties")
    every = {**found, **(inner if isinstance(inner, dict) else {})}
    return {name: value for name, value in every.items() if isinstance(value, str)}


def _verifier(settings: Settings, properties: Properties, certificate: bytes | None) -> Verifier:
    """:raises Invalid: there is no signature, or it cannot be verified. :raises Unavailable: nor now."""
    signature = signature_of(properties)
    if signature is None:
        raise Invalid("properties", "the image has no signature")
    if certificate is None:
        caller = Caller(token=os.environ.get("OS_TOKEN"), project_id=os.environ.get("OS_PROJECT_ID"))
        signatures = signatures_of(settings, read_config(settings.source))
        found = asyncio.run(signatures.verifier(properties, caller))
        assert found is not None  # noqa: S101 - there is a signature
        return found
    read, store = read_certificate(certificate), settings.signing.trust_store
    check_certificate(read, datetime.now(UTC), None if store is None else read_trust_store(store))
    return Verifier(signature, read)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """All of a file; how far it is shows on a terminal."""
    size = os.fstat(file.fileno()).st_size
    hidden = not sys.stderr.isatty() or size == 0
    with click.progressbar(length=size, label="Reading", file=sys.stderr, hidden=hidden) as bar:
        while chunk := file.read(_CHUNK):
            yield chunk
            bar.update(len(chunk))
