"""The guarded client, against a real server on this machine."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from glimpse.domain.errors import Gone, Invalid, Unavailable
from glimpse.domain.url_rules import Choice, Rules
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.guard import check_address, check_url
from glimpse.stores.http import HttpStore
from glimpse.stores.outbound import Outbound, Patience
from tests.sources import DATA, Source, redirecting, serving

ANYWHERE = Rules(hosts=Choice(frozenset({"127.0.0.1"})), ports=Choice())
QUICK = Patience(connect=1, head=0.3, read=0.2, grace=0.1, slowest=10_000, retries=2)


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(ANYWHERE, QUICK)


def read(outbound: Outbound, url: str, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join(outbound.read(url, offset, length))


@pytest.mark.parametrize("path", ["/image", "/without-ranges", "/without-head", "/moved", "/moved-for-good"])
def test_size(outbound: Outbound, source: Source, path: str) -> None:
    assert outbound.size(source.url(path)) == len(DATA)


def test_size_of_nothing(outbound: Outbound, source: Source) -> None:
    assert outbound.size(source.url("/empty")) == 0
    for path in ("/absent", "/gone"):
        with pytest.raises(StoreObjectMissing):
            outbound.size(source.url(path))
    for path in ("/without-length", "/error", "/hanging", "/loop"):
        with pytest.raises(Unavailable):
            outbound.size(source.url(path))


@pytest.mark.parametrize("path", ["/image", "/without-ranges", "/moved", "/broken"])
@pytest.mark.parametrize(
    ("offset", "length"), [(0, len(DATA)), (0, 1), (1000, 70_000), (len(DATA) - 1, 1), (5, 0)]
)
def test_read(outbound: Outbound, source: Source, path: str, offset: int, length: int) -> None:
    assert read(outbound, source.url(path), offset, length) == DATA[offset : offset + length]


@pytest.mark.parametrize("path", ["/image", "/without-ranges", "/without-length", "/moved", "/broken"])
def test_read_to_the_end(outbound: Outbound, source: Source, path: str) -> None:
    assert read(outbound, source.url(path)) == DATA


def test_a_broken_read_goes_on_where_it_broke(outbound: Outbound, source: Source) -> None:
    read(outbound, source.url("/broken"), 0, len(DATA))
    last = len(DATA) - 1
    assert source.requests == [f"GET /broken bytes={at}-{last}" for at in (0, 100_000, 200_000)]


@pytest.mark.parametrize(
    "path",
    ["/broken-without-tag", "/changing", "/another-range", "/compressed", "/error", "/trickling", "/hanging"],
)
def test_never_wrong_bytes(outbound: Outbound, source: Source, path: str) -> None:
    with pytest.raises(Unavailable):
        read(outbound, source.url(path), 0, len(DATA))


def test_less_than_was_promised(outbound: Outbound, source: Source) -> None:
    with pytest.raises((StoreObjectMissing, Unavailable)):
        read(outbound, source.url(), 10, len(DATA))
    with pytest.raises(StoreObjectMissing):
        read(outbound, source.url(), len(DATA) + 1, 10)


def test_nobody_listens(outbound: Outbound) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x?password=secret"
        for ask in (lambda: outbound.size(url), lambda: read(outbound, url)):
            with pytest.raises(Unavailable) as refused:
                ask()
            assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://127.0.0.2/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://localhost/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_redirects_are_judged(source: Source, target: str) -> None:
    # Only the first host is trusted, by its name; nothing may follow from that.
    outbound = Outbound(Rules(ports=Choice()), QUICK, find=lambda host, _: [host])
    source.pages["/away"] = redirecting(target)
    rules = Rules(hosts=Choice(frozenset({"127.0.0.1"})), ports=Choice())
    for client in (Outbound(rules, QUICK), outbound):
        with pytest.raises((Invalid, Unavailable)):
            client.size(source.url("/away"))
    assert all(request.endswith("/away") for request in source.requests)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "image",
        "//host/image",
        "ftp://host/image",
        "file:///etc/passwd",
        "http://",
        "http:///image",
        "http://host:22/",
        "http://host:99999/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0177.0.0.1./",
        "http://1.2.3.4.5/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(Rules(), url)


def test_urls_that_are_taken() -> None:
    for url in (
        "http://host/image",
        "https://host",
        "http://10.0.0.1/x",
        "https://host:443/",
        "http://[fd00::1]/",
    ):
        check_url(Rules(), url)
    with pytest.raises(Invalid) as refused:
        Outbound().check_url("http://user:secret@host/image")
    assert "secret" not in str(refused.value)


def test_an_allow_list_overrides_the_other() -> None:
    both = Choice(frozenset({"a"}), frozenset({"a"}))
    assert (both.admits("a"), both.admits("b")) == (True, False)
    assert (Choice(disallowed=frozenset({"a"})).admits("a"), Choice().admits("a")) == (False, True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "224.0.0.1",
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    for written in (address, f"::ffff:{address}" if "." in address else address):
        with pytest.raises(Invalid):
            check_address(Rules(), "host", written)
        check_address(Rules(hosts=Choice(frozenset({"host"}))), "host", written)


def test_addresses_that_are_taken() -> None:
    for address in ("10.1.2.3", "192.168.1.1", "93.184.216.34", "fd00::1", "2001:db8::1"):
        check_address(Rules(), "host", address)
    with pytest.raises(Invalid):
        check_address(Rules(hosts=Choice(disallowed=frozenset({"10.1.2.3"}))), "host", "10.1.2.3")


def test_a_name_that_changes_its_address(source: Source) -> None:
    """The address that was judged is the one that is connected to (DNS rebinding)."""
    answers = iter([["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]])
    asked: list[str] = []

    def find(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    outbound = Outbound(Rules(ports=Choice()), QUICK, find=find)
    for _ in range(2):
        with pytest.raises(Invalid):
            outbound.size(f"http://rebinding.example:{source.server_port}/image")
    assert asked == ["rebinding.example"] * 2
    assert source.requests == []


def test_a_name_is_asked_for_once_and_all_its_addresses_are_tried(source: Source) -> None:
    rules = Rules(hosts=Choice(frozenset({"images.example"})), ports=Choice())
    outbound = Outbound(rules, QUICK, find=lambda *_: ["127.0.0.9", "127.0.0.1"])
    assert outbound.size(f"http://images.example:{source.server_port}/image") == len(DATA)


def test_certificates_are_verified_by_name(source: Source, tmp_path: Path) -> None:
    certificate = _certificate(tmp_path, "images.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    source.socket = context.wrap_socket(source.socket, server_side=True)
    rules = Rules(hosts=Choice(frozenset({"images.example", "other.example"})), ports=Choice())
    urls = [f"https://{name}.example:{source.server_port}/image" for name in ("images", "other")]

    def client(**options: Any) -> Outbound:
        return Outbound(rules, QUICK, find=lambda *_: ["127.0.0.1"], **options)

    trusting = client(ca_file=str(certificate))
    assert trusting.size(urls[0]) == len(DATA)
    for suspicious, url in ((trusting, urls[1]), (client(), urls[0])):
        with pytest.raises(Unavailable):
            suspicious.size(url)
    assert client(insecure=True).size(urls[1]) == len(DATA)
    with pytest.raises(Unavailable):
        client(insecure=True, ca_file=str(certificate)).size(urls[1])


def _certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_the_store_reads_and_never_writes(outbound: Outbound, source: Source) -> None:
    store = HttpStore("web", outbound)
    key = ObjectKey("image", "attempt")
    assert store.stat(source.url()) == len(DATA)
    assert b"".join(store.open_reader(source.url(), 10, 20)) == DATA[10:30]
    with pytest.raises(Gone):
        store.open_writer(key, None)
    store.discard(key)
    store.delete(source.url())
    assert all(not request.startswith(("PUT", "DELETE")) for request in source.requests)
    assert (store.usage().used, store.usage().free) == (None, None)


def test_what_became_forbidden_is_out_of_reach(source: Source) -> None:
    store = HttpStore("web", Outbound(Rules(), QUICK))
    with pytest.raises(Invalid):
        store.check_url(source.url())
    for ask in (lambda: store.stat(source.url()), lambda: store.open_reader(source.url(), 0, 1)):
        with pytest.raises(Unavailable):
            ask()
