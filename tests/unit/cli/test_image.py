"""`glimpse image sign` and `glimpse image verify`, on files."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glimpse.cli.main import cli
from glimpse.domain.errors import Invalid, NotFound, SignatureInvalid
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import upgrade
from tests.contract.records.making import an_image
from tests.keys import KEY_TYPES, signer

DATA = b"the data of an image" * 100_000
NAMES = ["img_signature", "img_signature_hash_method", "img_signature_key_type"]
NAMES += ["img_signature_certificate_uuid"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With an image, another, keys and certificates; the service's state is in it too."""
    (tmp_path / "image").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b"!")
    for key_type in KEY_TYPES:
        (tmp_path / f"{key_type}.key").write_bytes(signer(key_type).key_pem)
        (tmp_path / f"{key_type}.pem").write_bytes(signer(key_type).pem)
    (tmp_path / "glimpse.conf").write_text(f"[glimpse]\ncertificate_folder = {tmp_path}\n")
    return tmp_path


def glimpse(verb: str, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["image", verb, *map(str, arguments)])


def sign(folder: Path, key_type: str, *options: str) -> str:
    key = folder / f"{key_type}.key"
    done = glimpse("sign", "--key", key, "--certificate", key_type, *options, folder / "image")
    assert done.exit_code == 0, done.output
    return done.stdout


def verify(folder: Path, file: str, *options: object) -> Result:
    places = ("--config-file", folder / "glimpse.conf", "--state-dir", folder)
    return glimpse("verify", *places, *options, folder / file)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_sign_and_verify(folder: Path, key_type: str) -> None:
    (folder / "signed").write_text(sign(folder, key_type, "--json"))
    given = ("--properties", folder / "signed")
    for options in (given, (*given, "--certificate", folder / f"{key_type}.pem")):
        done = verify(folder, "image", *options)
        assert done.stdout == f"Verified: {key_type} with SHA-256, by the certificate of CN={key_type} 0.\n"
        assert isinstance(verify(folder, "other", *options).exception, SignatureInvalid)


def test_the_forms_of_the_properties(folder: Path) -> None:
    lines = sign(folder, "RSA-PSS", "--hash", "SHA-512").splitlines()
    assert [line.partition("=")[0] for line in lines] == NAMES
    assert "img_signature_hash_method=SHA-512" in lines
    words = shlex.split(sign(folder, "RSA-PSS", "--flags"))
    assert words[::2] == ["--property"] * 4
    assert [word.partition("=")[0] for word in words[1::2]] == NAMES


def test_what_the_openstack_command_shows(folder: Path) -> None:
    shown = {"name": "mine", "min_ram": 0, "properties": json.loads(sign(folder, "RSA-PSS", "--json"))}
    (folder / "shown").write_text(json.dumps(shown))
    assert verify(folder, "image", "--properties", folder / "shown").exit_code == 0


def test_an_image_of_the_service(folder: Path) -> None:
    url = f"sqlite:///{folder}/glimpse.db"
    upgrade(url)
    database = connect(url)
    image = an_image(properties=json.loads(sign(folder, "RSA-PSS", "--json")))
    open_records(database).images.create(image)
    database.close()
    assert verify(folder, "image", "--image", image.id).exit_code == 0
    assert isinstance(verify(folder, "image", "--image", "nobody").exception, NotFound)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("[]", "a JSON object"),
        ("{", "a JSON object"),
        ("{}", "no signature"),
        ('{"img_signature": "x"}', "needs all"),
    ],
)
def test_properties_that_will_not_do(folder: Path, document: str, reason: str) -> None:
    (folder / "given").write_text(document)
    error = verify(folder, "image", "--properties", folder / "given").exception
    assert isinstance(error, Invalid)
    assert reason in error.reason


def test_the_image_must_be_named_once(folder: Path) -> None:
    assert "One of --image and --properties is needed" in verify(folder, "image").output


def test_what_cannot_be_signed_with(folder: Path) -> None:
    done = glimpse("sign", "--key", folder / "RSA-PSS.pem", "--certificate", "x", folder / "image")
    assert isinstance(done.exception, Invalid)
    done = glimpse("sign", "--key", folder / "RSA-PSS.key", "--certificate", "a/b", folder / "image")
    assert isinstance(done.exception, Invalid)
