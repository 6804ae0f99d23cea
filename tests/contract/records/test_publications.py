"""How an import ends: what is published, and what is left when it fails."""

from dataclasses import replace

import pytest

from glimpse.catalog.import_ports import Publication
from glimpse.catalog.ports import Allowance, Charge, Intent, IntentKind, Resource
from glimpse.catalog.records import Records
from glimpse.domain.errors import Gone, LimitExceeded, Unavailable
from glimpse.domain.image import ImageChange
from glimpse.domain.properties import IMPORT_TASK
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import TaskStatus
from glimpse.jobs.ports import Job
from tests.contract.records.making import (
    DATA,
    EVERY_STATUS,
    LATER,
    NOW,
    create,
    write_data,
)
from tests.contract.records.test_imports import (
    IMPORTING,
    NO_CHARGE,
    OTHER,
    PLACE,
    a_publication,
    begin,
    copies_of,
    importing,
    stage,
)


class TestPublishing:
    def publish(self, records: Records, job: Job, publication: Publication, charge: Charge) -> list[Intent]:
        return records.imports.publish(job, publication, charge, LATER, NOW)

    def nothing_happened(self, records: Records, job: Job, copies: list[Intent]) -> None:
        assert (records.jobs.get(job.id), records.intents.writing(job.subject)) == (job, copies)
        assert records.images.get(job.subject, None).status is IMPORTING
        assert records.tasks.get(job.id, None).status is TaskStatus.PENDING

    def test_everything_at_once(self, records: Records) -> None:
        job = importing(records)
        [one, two] = copies = copies_of(job, "one", "two")
        records.imports.reserve(job, copies, NO_CHARGE)
        assert self.publish(records, job, a_publication([one], PLACE), Charge("mine", 7)) == []
        image = records.images.get(job.subject, None)
        assert (image.status, image.size, image.locations) == (ImageStatus.ACTIVE, 7, (PLACE,))
        assert IMPORT_TASK not in image.properties
        task = records.tasks.get(job.id, None)
        assert (task.status, task.expires_at) == (TaskStatus.SUCCESS, LATER)
        # What was not published is still to be removed.
        assert (records.jobs.get(job.id), records.intents.writing(image.id)) == (None, [two])
        with pytest.raises(Unavailable):
            self.publish(records, job, a_publication([], OTHER), NO_CHARGE)

    @pytest.mark.parametrize("keeps", [True, False])
    def test_what_was_staged(self, records: Records, *, keeps: bool) -> None:
        staged = stage(records)
        job = importing(records, staged)
        removals = self.publish(records, job, a_publication([], PLACE, keeps_staged=keeps), Charge("mine", 7))
        assert [intent.id for intent in removals] == ([] if keeps else [staged.attempt])
        assert {intent.kind for intent in removals} <= {IntentKind.DISCARD}
        assert records.intents.writing(job.subject) == removals
        assert (records.imports.staged(job.subject), records.images.usage("mine")) == (None, 7)

    def test_a_job_that_was_lost(self, records: Records) -> None:
        job = importing(records)
        copies = copies_of(job, "one")
        records.imports.reserve(job, copies, NO_CHARGE)
        [theirs] = records.jobs.claim("import", "other", 20.0, 11.0, 1)
        with pytest.raises(Unavailable):
            self.publish(records, job, a_publication(copies, PLACE), NO_CHARGE)
        self.nothing_happened(records, theirs, copies)

    def test_a_copy_that_was_lost(self, records: Records) -> None:
        job = importing(records)
        [one, two] = copies = copies_of(job, "one", "two")
        records.imports.reserve(job, copies, NO_CHARGE)
        held = records.jobs.get(job.id)
        assert held is not None
        assert records.intents.claim(two, "other", 3000.0)
        with pytest.raises(Unavailable):
            self.publish(records, job, a_publication(copies, PLACE, OTHER), NO_CHARGE)
        left = sorted(records.intents.writing(job.subject), key=lambda copy: copy.store)
        assert left == [one, replace(two, worker="other", lease_until=3000.0)]
        assert records.intents.abandon(one.id, "w")
        with pytest.raises(Unavailable):
            self.publish(records, job, a_publication([one], PLACE), NO_CHARGE)
        assert records.jobs.get(job.id) == held

    def test_an_image_that_was_deleted(self, records: Records) -> None:
        job = importing(records)
        copies = copies_of(job, "one")
        records.imports.reserve(job, copies, NO_CHARGE)
        records.images.delete(job.subject, EVERY_STATUS, "v", 1000.0, NOW)
        with pytest.raises(Gone):
            self.publish(records, job, a_publication(copies, PLACE), NO_CHARGE)
        assert records.intents.writing(job.subject) == copies
        assert records.imports.fail(job, "it is gone", ImageChange(), LATER, NOW) == []
        task = records.tasks.get(job.id, None)
        assert (task.status, task.message, records.jobs.get(job.id)) == (
            TaskStatus.FAILURE,
            "it is gone",
            None,
        )

    def test_locations_that_have_changed(self, records: Records) -> None:
        image = create(records)
        write_data(records, image)
        begin(records, image.id, ImageStatus.ACTIVE)
        [job] = records.jobs.claim("import", "w", 10.0, 1.0, 1)
        change = ImageChange(locations=((PLACE,), (PLACE, OTHER)))
        publication = Publication(change, frozenset({ImageStatus.ACTIVE}))
        with pytest.raises(Gone):
            self.publish(records, job, publication, NO_CHARGE)
        assert records.jobs.get(job.id) == job
        change = ImageChange(locations=((DATA.location,), (DATA.location, OTHER)))
        self.publish(records, job, replace(publication, change=change), NO_CHARGE)
        assert records.images.get(image.id, None).locations == (DATA.location, OTHER)
        assert records.images.usage("mine") == 14

    def test_what_does_not_fit(self, records: Records) -> None:
        job = importing(records)
        with pytest.raises(LimitExceeded):
            self.publish(records, job, a_publication([], PLACE), Charge("mine", 6))
        self.nothing_happened(records, job, [])
        allowance = Allowance("mine", {Resource.SIZE_TOTAL: 0})
        with pytest.raises(LimitExceeded):
            self.publish(records, job, a_publication([], PLACE), Charge("mine", None, allowance))
        self.nothing_happened(records, job, [])


class TestFailing:
    def test_an_empty_change_deletes_nothing(self, records: Records) -> None:
        job = importing(records)
        assert records.imports.fail(job, "because", ImageChange(), LATER, NOW) == []
        assert records.images.get(job.subject, None).status is ImageStatus.QUEUED

    def test_the_image_is_queued_and_nothing_is_staged(self, records: Records) -> None:
        staged = stage(records)
        job = importing(records, staged)
        change = ImageChange(properties={"why": "because"}, dropped=frozenset({IMPORT_TASK}))
        [removal] = records.imports.fail(job, "because", change, LATER, NOW)
        assert (removal.kind, removal.id, removal.target) == (
            IntentKind.DISCARD,
            staged.attempt,
            staged.target,
        )
        image = records.images.get(job.subject, None)
        assert (image.status, image.size, image.properties) == (ImageStatus.QUEUED, None, {"why": "because"})
        task = records.tasks.get(job.id, None)
        assert (task.status, task.message, task.expires_at) == (TaskStatus.FAILURE, "because", LATER)
        assert (records.jobs.get(job.id), records.imports.staged(image.id)) == (None, None)
        assert records.intents.writing(image.id) == [removal]
        assert records.images.usage("mine") == 0

    def test_the_image_is_killed_and_nothing_is_staged(self, records: Records) -> None:
        staged = stage(records)
        job = importing(records, staged)
        change = ImageChange(properties={"why": "because"}, dropped=frozenset({IMPORT_TASK}))
        [removal] = records.imports.fail(job, "because", change, LATER, NOW, ImageStatus.KILLED)
        assert (removal.kind, removal.id) == (IntentKind.DISCARD, staged.attempt)
        image = records.images.get(job.subject, None)
        assert (image.status, image.size, image.properties) == (ImageStatus.KILLED, None, {"why": "because"})
        assert records.tasks.get(job.id, None).message == "because"
        assert (records.jobs.get(job.id), records.imports.staged(image.id)) == (None, None)

    def test_a_job_that_was_lost(self, records: Records) -> None:
        staged = stage(records)
        job = importing(records, staged)
        [theirs] = records.jobs.claim("import", "other", 20.0, 11.0, 1)
        assert records.imports.fail(job, "late", ImageChange(), LATER, NOW) == []
        assert records.images.get(job.subject, None).status is IMPORTING
        assert (records.jobs.get(job.id), records.imports.staged(job.subject)) == (theirs, staged)
        assert records.tasks.get(job.id, None).status is TaskStatus.PENDING

    def test_a_copy_leaves_the_image_as_it_was(self, records: Records) -> None:
        image = create(records)
        write_data(records, image)
        begin(records, image.id, ImageStatus.ACTIVE)
        [job] = records.jobs.claim("import", "w", 10.0, 1.0, 1)
        change = ImageChange(dropped=frozenset({IMPORT_TASK}))
        assert records.imports.fail(job, "because", change, LATER, NOW) == []
        after = records.images.get(image.id, None)
        assert (after.status, after.size, after.locations) == (ImageStatus.ACTIVE, 7, (DATA.location,))
        assert after.properties == {}
