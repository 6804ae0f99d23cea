import pytest

from glimpse.domain.errors import Invalid
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.vmware.places import Account, Datastore, File, Names, Places, by_weight

ONE, TWO = Datastore("folder/DC 1", "d&s", 1), Datastore("DC2", "two", 5)
PLACES = Places("vc.example.org", "images", (ONE, TWO))
GOOD = "vsphere://vc.example.org/folder/images/a1?dcPath=DC2&dsName=two"


def test_urls_are_those_of_glance() -> None:
    assert PLACES.url(File(TWO, "images/a1")) == GOOD
    assert PLACES.file(GOOD) == File(TWO, "images/a1")
    assert PLACES.file(GOOD.replace("vc.", "VC.")) == File(TWO, "images/a1")


def test_names_are_quoted() -> None:
    url = PLACES.url(File(ONE, "images/a 1"))
    assert url == "vsphere://vc.example.org/folder/images/a%201?dcPath=folder%2FDC+1&dsName=d%26s"
    assert PLACES.file(url) == File(ONE, "images/a 1")
    # As Glance writes the path of a datacenter in a folder.
    assert PLACES.file(url.replace("%2F", "/")) == File(ONE, "images/a 1")


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("vsphere:", "https:"),
        ("vc.example.org", "elsewhere"),
        ("vc.example.org", "user:secret@vc.example.org"),
        ("vc.example.org", "vc.example.org:443"),
        ("/folder/", "/host/"),
        ("images/", ""),
        ("images/", "other/"),
        ("images/", "images/../images/"),
        ("images/", "images/sub/"),
        ("images/", "/images/"),
        ("a1", ""),
        ("a1", ".."),
        ("a1", "%2e%2e"),
        ("a1", "..%2fother%2fa1"),
        ("a1", "a1%00"),
        ("a1", "a1%"),
        ("a1", "a1.x.incoming"),
        ("a1", "a1.owner"),
        ("a1", "[two] a1"),
        ("dcPath=DC2&", ""),
        ("dcPath=DC2", "dcPath=DC3"),
        ("dsName=two", "dsName=three"),
        ("dsName=two", "dsName=two&dsName=d"),
        ("dsName=two", "dsName=two#x"),
        ("dsName=two", "dsName=two&ticket=1"),
        ("dsName=two", "dsName=two\n"),
        ("?", "\t?"),
    ],
)
def test_other_urls_are_refused(part: str, other: str) -> None:
    with pytest.raises(StoreObjectMissing):
        PLACES.file(GOOD.replace(part, other))


@pytest.mark.parametrize(
    ("text", "datastore"),
    [
        ("dc:ds", Datastore("dc", "ds", 0)),
        ("dc:ds:", Datastore("dc", "ds", 0)),
        ("folder/dc:ds:20", Datastore("folder/dc", "ds", 20)),
    ],
)
def test_datastores(text: str, datastore: Datastore) -> None:
    assert Datastore.parse(text) == datastore


@pytest.mark.parametrize("text", ["", "dc", "dc:", ":ds", "dc:ds:x", "dc:ds:1:2", "dc:ds:1.5"])
def test_what_is_no_datastore(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reason
        Datastore.parse(text)


def test_the_order_of_datastores() -> None:
    a, b, c, d = (Datastore("dc", name, weight) for name, weight in (("a", 1), ("b", 7), ("c", 7), ("d", 7)))
    orders = [by_weight([a, b, c, d], turn) for turn in range(4)]
    assert orders == [[b, c, d, a], [c, d, b, a], [d, b, c, a], [b, c, d, a]]


@pytest.mark.parametrize(
    ("host", "address"),
    [("vc", ("vc", 443)), ("127.0.0.1:8443", ("127.0.0.1", 8443)), ("[::1]:8443", ("::1", 8443))],
)
def test_addresses(host: str, address: tuple[str, int]) -> None:
    assert Account(host, "user", "secret").address() == address


@pytest.mark.parametrize("host", ["", "a/b", "user@vc", "vc:x", "vc:", "https://vc", "a?b", "::1"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reason
        Account(host, "user", "secret").address()


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(Account("vc", "user", "secret"))


def test_names_of_an_attempt() -> None:
    names = Names.of(TWO, "images", ObjectKey("a1", "try"))
    assert [str(names.incoming), str(names.ticket)] == [
        "[two] images/a1.try.incoming",
        "[two] images/a1.try.owner",
    ]
    assert [str(names.owner), str(names.final)] == ["[two] images/a1.owner", "[two] images/a1"]
    with pytest.raises(Invalid):
        Names.of(TWO, "images", ObjectKey("../a1", "try"))
