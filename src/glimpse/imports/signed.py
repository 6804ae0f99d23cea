"""Signatures of what is imported.

The certificate is fetched when somebody asks for the import, in their name; the job is given it, and needs
nobody's token.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from glimpse.catalog.catalog import find_image
from glimpse.domain.caller import Caller
from glimpse.imports.request import Method, Wanted
from glimpse.imports.sources import Source
from glimpse.jobs.ports import Job
from glimpse.signing.certificates import read_certificate
from glimpse.signing.properties import CURRENT, LIBERTY, MASK, SALT, signature_of
from glimpse.signing.verify import Verifier
from glimpse.transfer.copies import Received, updating
from glimpse.transfer.lanes import Lane, pump
from glimpse.transfer.transfer import Transfer

Seal = Mapping[str, Any]

_NAMES = frozenset({*CURRENT, *LIBERTY, MASK, SALT})


async def seal_of(transfer: Transfer, caller: Caller, properties: Mapping[str, str | None]) -> Seal | None:
    """What a job must know to verify the signature that properties make, as JSON values; None: there is none.

    :raises Invalid, Unavailable: as `Signatures.verifier`.
    """
    verifier = await transfer.signatures.verifier(properties, caller)
    if verifier is None:
        return None
    signed = {name: value for name, value in properties.items() if name in _NAMES}
    return {"properties": signed, "certificate": verifier.certificate.public_bytes(Encoding.PEM).decode()}


async def seal_of_image(transfer: Transfer, caller: Caller, image_id: str, wanted: Wanted) -> Seal | None:
    """The same for an image that is to be imported. What is copied was verified when it came in.

    :raises NotFound, Forbidden: as `begin_import`. :raises Invalid, Unavailable: as `Signatures.verifier`.
    """
    if wanted.method is Method.COPY_IMAGE:
        return None
    image = await transfer.threads.record(find_image, transfer.catalog, caller, image_id, "modify_image")
    return await seal_of(transfer, caller, image.properties)


async def verifier_of(transfer: Transfer, job: Job, properties: Mapping[str, str | None]) -> Verifier | None:
    """What verifies the data of a job, whose image has these properties.

    Those of another Glance come with its image; their certificate is fetched in the name of who asked.

    :raises Invalid, Unavailable: as `Signatures.verifier`.
    """
    if job.arguments["method"] == Method.COPY_IMAGE:
        return None
    seal, signature = job.arguments.get("seal"), signature_of(properties)
    if signature is not None and seal and signature_of(seal["properties"]) == signature:
        return Verifier(signature, read_certificate(seal["certificate"].encode()))
    token = job.arguments["source"].get("token")
    caller = Caller(project_id=job.arguments["project_id"], token=token)
    return await transfer.signatures.verifier(properties, caller)


async def staged_digests(
    transfer: Transfer, source: Source, verifier: Verifier | None
) -> Mapping[str, bytes]:
    """The digests of staged data that stays where it is: those of when it came in, and the one that a
    verifier needs, for which the data is read if the image had no signature then.
    """
    assert source.staged is not None  # noqa: S101 - else nothing stays
    known = Received.staged(source.staged).by_algorithm
    if verifier is None or verifier.algorithm in known:
        return known
    digest = hashlib.new(verifier.algorithm, usedforsecurity=False)
    await pump(source.chunks, [Lane(transfer.threads.data, updating(digest))], lambda _: None)
    return {**known, verifier.algorithm: digest.digest()}
