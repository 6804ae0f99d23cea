"""Signatures: data is verified on every road by which it comes in."""

import gzip
import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.test_glance_download import PATH, WANTED, Glance, at
from tests.api.test_imports import RULES, STORES, begin, stage
from tests.api.world import ADMIN, ALICE, Client, Json, change
from tests.keys import DAY, KEY_TYPES, Signer, signer
from tests.sources import DATA, Source, running

OTHER = DATA[:-1] + b"!"
SCHEMES: Mapping[str, Callable[[Signer, str], dict[str, str]]] = {
    "current": lambda who, reference: who.properties(DATA, reference),
    "shared digest": lambda who, reference: who.properties(DATA, reference, "SHA-512"),
    "Liberty": lambda who, reference: who.liberty_properties(DATA, reference),
}
Make = Callable[..., Client]
Road = Callable[[Client, Json, bytes], str]


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """The key manager of these tests."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    for key_type in KEY_TYPES:
        (folder / f"{key_type}.pem").write_bytes(signer(key_type).pem)
    (folder / "der.pem").write_bytes(signer().der)
    (folder / "other.pem").write_bytes(signer(number=1).pem)
    (folder / "expired.pem").write_bytes(signer(begins=-2 * DAY, ends=-DAY).pem)
    (folder / "early.pem").write_bytes(signer(begins=DAY, ends=2 * DAY).pem)
    (folder / "none.pem").write_bytes(b"no certificate")
    (folder / "folder.pem").mkdir()
    return folder


@pytest.fixture
def make(make_world: MakeWorld, certificates: Path) -> Make:
    """Alice, at a service that knows the certificates."""

    def made(more: str = "", options: str = "") -> Client:
        options = f"{RULES}{options}[glimpse]\ncertificate_folder = {certificates}\n{more}"
        return make_world(options).client(ALICE)

    return made


@pytest.fixture
def alice(make: Make) -> Client:
    return make()


def nothing_is_left(client: Client, store: str | None = None) -> bool:
    return client.world.files(store) == [] and client.world.usage("a") == 0


def upload(client: Client, image: Json, data: bytes) -> str:
    return client.upload(image["id"], data).text


def staged(client: Client, image: Json, data: bytes) -> str:
    answer = stage(client, image, data)
    if answer.status_code != 204:
        return answer.text
    assert begin(client, image).status_code == 202
    client.world.do_jobs()
    return task_message(client, image)


def task_message(client: Client, image: Json) -> str:
    [task] = client.get(f"/v2/images/{image['id']}/tasks").json()["tasks"]
    return str(task["message"])


@pytest.fixture(params=["upload", "stage", "web-download"])
def road(request: pytest.FixtureRequest, source: Source) -> Road:
    """A road by which data comes in; what it answers comes back."""

    def downloaded(client: Client, image: Json, data: bytes) -> str:
        source.pages["/signed"] = lambda page: page.reply(200, data)
        assert begin(client, image, "web-download", uri=source.url("/signed")).status_code == 202
        client.world.do_jobs()
        return task_message(client, image)

    return {"upload": upload, "stage": staged, "web-download": downloaded}[request.param]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_verified_data_makes_an_image(alice: Client, road: Road, scheme: str) -> None:
    image = alice.create(**SCHEMES[scheme](signer(), "RSA-PSS"))
    assert road(alice, image, DATA) == ""
    assert alice.show(image["id"])["status"] == "active"
    assert alice.data(image["id"]).content == DATA
    assert alice.show(image["id"])["os_hash_value"] == hashlib.sha512(DATA).hexdigest()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_data_kills_the_image_and_nothing_stays(alice: Client, road: Road, scheme: str) -> None:
    image = alice.create(**SCHEMES[scheme](signer(), "RSA-PSS"))
    assert "The signature is not that of this data" in road(alice, image, OTHER)
    found = alice.show(image["id"])
    assert (found["status"], found["checksum"]) == ("killed", None)
    assert alice.data(image["id"]).status_code in (204, 404)
    assert nothing_is_left(alice)
    assert alice.upload(image["id"], DATA).status_code == 409
    assert alice.delete(f"/v2/images/{image['id']}").status_code == 204


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_each_type_of_key(alice: Client, key_type: str) -> None:
    good, bad = (alice.create(**signer(key_type).properties(DATA, key_type)) for _ in range(2))
    assert alice.upload(good["id"], DATA).status_code == 204
    assert alice.upload(bad["id"], OTHER).status_code == 400
    assert [alice.show(one["id"])["status"] for one in (good, bad)] == ["active", "killed"]


def test_a_certificate_may_be_der(alice: Client) -> None:
    assert alice.active(DATA, **signer().properties(DATA, "der"))["status"] == "active"


def without(name: str) -> dict[str, str]:
    found = signer().properties(DATA, "RSA-PSS")
    del found[name]
    return found


def like(**values: str) -> dict[str, str]:
    return {**signer().properties(DATA, "RSA-PSS"), **values}


REFUSED = {
    "no signature": (without("img_signature"), "img_signature: a signature needs all of"),
    "no method": (without("img_signature_hash_method"), "img_signature_hash_method: a signature needs"),
    "no key type": (without("img_signature_key_type"), "img_signature_key_type: a signature needs"),
    "no certificate": (without("img_signature_certificate_uuid"), "certificate_uuid: a signature needs"),
    "MD5": (like(img_signature_hash_method="MD5"), "'MD5' is not one of SHA-224"),
    "foreign key type": (like(img_signature_key_type="RSA"), "'RSA' is not one of RSA-PSS"),
    "not base64": (like(img_signature="%%%"), "base64 is expected"),
    "unknown": (like(img_signature_certificate_uuid="unknown"), "none is known by the identifier unknown"),
    "a path": (like(img_signature_certificate_uuid="../certificates/RSA-PSS"), "identifier of a certificate"),
    "no X.509": (like(img_signature_certificate_uuid="none"), "it is no X.509 certificate"),
    "another key": (like(img_signature_certificate_uuid="DSA"), "its key is DSA, not RSA-PSS"),
    "expired": (like(img_signature_certificate_uuid="expired"), "it expired on"),
    "early": (like(img_signature_certificate_uuid="early"), "it is valid from"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_verified_is_refused_and_changes_nothing(
    alice: Client, source: Source, what: str
) -> None:
    properties, reason = REFUSED[what]
    image = alice.create(**properties)
    before = alice.show(image["id"])
    source.requests.clear()
    for answer in (
        alice.upload(image["id"], DATA),
        stage(alice, image),
        begin(alice, image, "web-download", uri=source.url("/signed")),
    ):
        assert answer.status_code == 400
        assert reason in answer.text
    after = alice.show(image["id"])
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert nothing_is_left(alice)
    assert source.requests == []


@pytest.mark.parametrize("what", ["truncated", "another signer's"])
def test_a_signature_that_is_none_of_this_data(alice: Client, what: str) -> None:
    given = signer().properties(DATA, "other")
    if what == "truncated":
        given = like(img_signature=given["img_signature"][:80])
    image = alice.create(**given)
    assert alice.upload(image["id"], DATA).status_code == 400
    assert alice.show(image["id"])["status"] == "killed"
    assert nothing_is_left(alice)


def test_a_key_manager_that_cannot_be_read(alice: Client) -> None:
    image = alice.create(**like(img_signature_certificate_uuid="folder"))
    answer = alice.upload(image["id"], DATA)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert alice.show(image["id"])["status"] == "queued"
    assert nothing_is_left(alice)


def test_fewer_bytes_than_announced_do_not_kill(alice: Client) -> None:
    image = alice.create(**like())
    answer = alice.upload(image["id"], DATA[:-1], X_OpenStack_Image_Size=str(len(DATA)))
    assert answer.status_code == 400
    assert alice.show(image["id"])["status"] == "queued"
    assert alice.upload(image["id"], DATA).status_code == 204


def test_only_trusted_certificates(make: Make, certificates: Path, tmp_path: Path) -> None:
    root = signer("ECC_SECP384R1", number=8, authority=True)
    issued = signer(number=3, issuer=root)
    (certificates / "issued.pem").write_bytes(issued.pem)
    (tmp_path / "trusted.pem").write_bytes(root.pem + signer("DSA").pem)
    alice = make(f"signature_trust_store = {tmp_path / 'trusted.pem'}\n")
    alice.active(DATA, **issued.properties(DATA, "issued"))
    alice.active(DATA, **signer("DSA").properties(DATA, "DSA"))
    image = alice.create(**signer().properties(DATA, "RSA-PSS"))
    answer = alice.upload(image["id"], DATA)
    assert answer.status_code == 400
    assert "does not lead to a trusted certificate" in answer.text
    assert alice.show(image["id"])["status"] == "queued"


def test_staged_data_may_get_its_signature_later(alice: Client) -> None:
    for data, status in ((DATA, "active"), (OTHER, "killed")):
        image = alice.create()
        assert stage(alice, image, data).status_code == 204
        alice.patch(image["id"], *(change("add", name, value) for name, value in like().items()))
        assert begin(alice, image).status_code == 202
        alice.world.do_jobs()
        assert alice.show(image["id"])["status"] == status
    assert len(alice.world.files()) == 1


def test_a_signature_is_of_what_is_stored(make: Make) -> None:
    alice = make(options="[image_import_opts]\nimage_import_plugins = [image_decompression]\n")
    for signed, status in ((DATA, "active"), (OTHER, "killed")):
        image = alice.create(**signer().properties(signed, "RSA-PSS"))
        assert stage(alice, image, gzip.compress(DATA)).status_code == 204
        assert begin(alice, image).status_code == 202
        alice.world.do_jobs()
        assert alice.show(image["id"])["status"] == status
    assert len(alice.world.files()) == 1


def test_many_stores_get_the_data_or_none(make: Make, tmp_path: Path) -> None:
    alice = make(options=STORES.format(folder=tmp_path))
    for data, status, count in ((OTHER, "killed", 0), (DATA, "active", 1)):
        image = alice.create()
        assert stage(alice, image, data).status_code == 204
        alice.patch(image["id"], *(change("add", name, value) for name, value in like().items()))
        assert begin(alice, image, all_stores=True).status_code == 202
        alice.world.do_jobs()
        assert alice.show(image["id"])["status"] == status
        assert [len(alice.world.files(store)) for store in ("one", "two", "three")] == [count] * 3


def test_a_copy_is_not_verified_again(make: Make, certificates: Path, tmp_path: Path) -> None:
    alice = make(options=STORES.format(folder=tmp_path))
    image = alice.active(DATA, **like())
    (certificates / "RSA-PSS.pem").unlink()
    root = alice.world.client(ADMIN)
    assert begin(root, image, "copy-image", stores=["two"]).status_code == 202
    alice.world.do_jobs()
    assert len(alice.world.files("two")) == 1


def test_a_signature_that_comes_from_another_glance(make: Make) -> None:
    options = "[DEFAULT]\nenabled_import_methods = [glance-download]\n"
    options += "[glance_download_properties]\nextra_properties = img_signature\n"
    alice = make(options=options)
    with running(Glance()) as glance:
        glance.document |= like()
        for data, status in ((DATA, "active"), (OTHER, "killed")):
            page = glance.guarded(lambda page, data=data: page.reply(200, data))  # type: ignore[misc]
            glance.pages[f"{PATH}/file"] = page
            client = at(alice.world, glance)
            image = client.post("/v2/images", {"name": "here"}).json()
            assert begin(client, image, "glance-download", **WANTED).status_code == 202
            alice.world.do_jobs()
            assert alice.show(image["id"])["status"] == status
    assert len(alice.world.files()) == 1


def test_a_task_for_a_new_image(make: Make, source: Source) -> None:
    root = make().world.client(ADMIN)
    for data, status in ((DATA, "success"), (OTHER, "failure")):
        source.pages["/signed"] = lambda page, data=data: page.reply(200, data)  # type: ignore[misc]
        properties = {"name": "new", "disk_format": "raw", "container_format": "bare", **like()}
        given = {
            "import_from": source.url("/signed"),
            "import_from_format": "raw",
            "image_properties": properties,
        }
        task = root.post("/v2/tasks", {"type": "import", "input": given})
        assert task.status_code == 201
        root.world.do_jobs()
        assert root.get(f"/v2/tasks/{task.json()['id']}").json()["status"] == status
    assert root.names() == ["new"]
    assert len(root.world.files()) == 1


def test_a_service_without_a_key_manager(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "glimpse.signing.key_managers", raising=False)
    monkeypatch.setitem(sys.modules, "castellan", None)
    alice = make_world().client(ALICE)
    image = alice.create(**like())
    answer = alice.upload(image["id"], DATA)
    assert answer.status_code == 400
    assert "no key manager" in answer.text
