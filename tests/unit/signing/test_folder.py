from pathlib import Path

import pytest

from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.signing.folder import CertificateFolder
from tests.keys import signer


def test_a_file_is_a_certificate(tmp_path: Path) -> None:
    (tmp_path / "mine.pem").write_bytes(signer().pem)
    assert CertificateFolder(tmp_path).certificate("mine", Caller()) == signer().certificate


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="none is known by the identifier mine"):
        CertificateFolder(tmp_path).certificate("mine", Caller())


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mine.pem").mkdir()
    with pytest.raises(Unavailable, match="Is a directory"):
        CertificateFolder(tmp_path).certificate("mine", Caller())
