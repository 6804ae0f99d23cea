"""The engine, on records in an SQLite file."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glimpse.domain.errors import Invalid, Unavailable
from glimpse.domain.figures import Figure
from glimpse.jobs.engine import Engine, Kind, run_jobs
from glimpse.jobs.ports import Job, JobRecords, Progress
from glimpse.jobs.worker import Worker
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import upgrade


class Clock:
    """The time, which stands still until somebody sets it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def records(tmp_path: Path) -> Iterator[JobRecords]:
    url = f"sqlite:///{tmp_path}/jobs.db"
    upgrade(url)
    database = connect(url)
    yield open_records(database).jobs
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Work:
    """What is done, and what is given up."""

    def __init__(self, run: Callable[[Job], Awaitable[None]] | None = None) -> None:
        self.run = run
        self.done: list[str] = []
        self.given_up: dict[str, str] = {}
        self.running = self.most = 0

    async def perform(self, job: Job, progress: Progress) -> None:
        progress.done, progress.total = 5, 10
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.run is not None:
                await self.run(job)
            self.done.append(job.id)
        finally:
            self.running -= 1

    async def give_up(self, job: Job, reason: str) -> None:
        self.given_up[job.id] = reason


async def call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def engine(records: JobRecords, clock: Clock, work: Work, worker: str = "w", **options: Any) -> Engine:
    kinds = {"copy": Kind(work.perform, work.give_up, **options)}
    return Engine(records, Worker(worker, 10.0, clock), kinds, call)


def add(records: JobRecords, number: int = 1) -> str:
    records.add(Job(f"job-{number}", "copy", "image"))
    return f"job-{number}"


def do(engine: Engine) -> None:
    async def work() -> None:
        await asyncio.gather(*await engine.take())

    asyncio.run(work())


async def failing(_: Job) -> None:
    raise Unavailable("store", "it is away")


def test_a_job_is_done_once(records: JobRecords, clock: Clock) -> None:
    work = Work()
    job = add(records)
    for _ in range(2):
        do(engine(records, clock, work))
    assert (work.done, records.get(job)) == ([job], None)


def test_it_is_tried_again_less_and_less_often(records: JobRecords, clock: Clock) -> None:
    work = Work(failing)
    job = add(records)
    starts = []
    while records.get(job) is not None:
        before = records.get(job)
        do(engine(records, clock, work, attempts=4))
        if records.get(job) != before:
            starts.append(clock.now)
        clock.now += 1
    assert starts == [100, 101, 103, 107]
    assert work.given_up == {job: "The store is not available: it is away"}


def test_what_cannot_succeed_is_given_up_at_once(records: JobRecords, clock: Clock) -> None:
    async def refuse(_: Job) -> None:
        raise Invalid("url", "no")

    work = Work(refuse)
    job = add(records)
    do(engine(records, clock, work))
    assert (work.given_up, records.get(job)) == ({job: "Invalid url: no"}, None)


def test_a_defect_is_no_secret_and_no_loop(records: JobRecords, clock: Clock) -> None:
    async def stumble(_: Job) -> None:
        raise ZeroDivisionError("secret")

    work = Work(stumble)
    job = add(records)
    do(engine(records, clock, work, attempts=1))
    assert "secret" not in work.given_up[job]


def test_a_job_that_kills_its_workers_ends(records: JobRecords, clock: Clock) -> None:
    work = Work()
    job = add(records)
    for number in range(3):
        # A worker that takes it and is never heard of again.
        assert records.claim("copy", f"dead-{number}", clock.now + 10, clock.now, 1)
        clock.now += 11
    do(engine(records, clock, work, attempts=3))
    assert (work.done, list(work.given_up), records.get(job)) == ([], [job], None)


def test_a_job_that_cannot_be_given_up_now_stays(records: JobRecords, clock: Clock) -> None:
    work = Work(failing)
    job = add(records)

    async def give_up(_job: Job, _reason: str) -> None:
        raise Unavailable("database", "it is away")

    kinds = {"copy": Kind(work.perform, give_up, attempts=1)}
    do(Engine(records, Worker("w", 10.0, clock), kinds, call))
    assert records.get(job) is not None
    clock.now += 11
    do(engine(records, clock, work, attempts=1))
    assert (list(work.given_up), records.get(job)) == ([job], None)


def test_no_more_at_once_than_allowed(records: JobRecords, clock: Clock) -> None:
    async def rest(_: Job) -> None:
        await asyncio.sleep(0.001)

    work = Work(rest)
    jobs = [add(records, number) for number in range(7)]

    async def all_of_them() -> None:
        runner = engine(records, clock, work, concurrency=3)
        while len(work.done) < len(jobs):
            await asyncio.gather(*await runner.take())

    asyncio.run(all_of_them())
    assert (sorted(work.done), work.most) == (jobs, 3)


def test_a_lease_is_kept_and_its_loss_ends_the_work(records: JobRecords, clock: Clock) -> None:
    async def wait(_: Job) -> None:
        await asyncio.Event().wait()

    work = Work(wait)
    job = add(records)

    async def lose() -> None:
        runner = engine(records, clock, work)
        [task] = await runner.take()
        clock.now += 9
        await runner.renew()
        clock.now += 9
        assert records.claim("copy", "other", 999.0, clock.now, 1) == []
        clock.now += 2
        assert records.claim("copy", "other", 999.0, clock.now, 1)
        await runner.renew()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(lose())
    stored = records.get(job)
    assert (work.done, work.given_up) == ([], {})
    assert stored is not None
    assert stored.worker == "other"


def test_a_running_job_is_not_taken_by_its_own_process_again(records: JobRecords, clock: Clock) -> None:
    """Its lease ends while the database is away, and nobody else has noticed."""

    async def wait(_: Job) -> None:
        await end.wait()

    async def scenario() -> None:
        work, job = Work(wait), add(records)
        mine = engine(records, clock, work)
        first = await mine.take()
        clock.now += 50
        other = add(records, 2)
        second = await mine.take()
        await mine.renew()
        end.set()
        await asyncio.gather(*first, *second)
        assert (sorted(work.done), records.get(job), records.get(other)) == ([job, other], None, None)

    end = asyncio.Event()
    asyncio.run(scenario())


def test_a_process_that_stops_lets_go(records: JobRecords, clock: Clock) -> None:
    began = asyncio.Event()

    async def wait(_: Job) -> None:
        began.set()
        await asyncio.Event().wait()

    job = add(records)

    async def stop() -> None:
        runner = asyncio.create_task(run_jobs(engine(records, clock, Work(wait))))
        await began.wait()
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)

    asyncio.run(stop())
    work = Work()
    do(engine(records, clock, work, "next"))
    assert work.done == [job]


def test_it_is_awake_when_called_and_outlives_the_database(records: JobRecords, clock: Clock) -> None:
    work = Work()
    troubles = [Unavailable("database", "it is away"), RuntimeError("what?")]
    tried = asyncio.Event()

    async def troubled(function: Callable[..., Any], *args: Any) -> Any:
        if troubles:
            tried.set()
            raise troubles.pop()
        return function(*args)

    async def run() -> None:
        kinds = {"copy": Kind(work.perform, work.give_up)}
        subject = Engine(records, Worker("w", 10.0, clock), kinds, troubled)
        runner = asyncio.create_task(run_jobs(subject))
        await tried.wait()
        add(records)
        while not work.done:
            subject.wake()
            await asyncio.sleep(0.001)
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)

    asyncio.run(run())
    assert troubles == []


async def begun(engine: Engine) -> asyncio.Task[None]:
    [task] = await engine.take()
    await asyncio.sleep(0)
    return task


def test_others_see_how_far_it_is(records: JobRecords, clock: Clock) -> None:
    job = add(records)

    async def scenario() -> None:
        one = engine(records, clock, Work(lambda _: asyncio.sleep(60)))
        await begun(one)
        clock.now += 2
        await one.renew()
        seen = records.get(job)
        assert seen is not None
        assert (seen.done, seen.total, seen.rate, seen.due_at) == (5, 10, 2.5, clock.now + 10)
        await one.stop()

    asyncio.run(scenario())


def test_a_running_job_is_cancelled(records: JobRecords, clock: Clock) -> None:
    work = Work(lambda _: asyncio.sleep(60))
    job = add(records)

    async def scenario() -> None:
        one = engine(records, clock, work)
        task = await begun(one)
        assert records.cancel(job, clock.now)
        for _ in range(2):
            await one.renew()
        await task

    asyncio.run(scenario())
    assert (work.given_up, work.done, records.get(job)) == ({job: "it was cancelled"}, [], None)


def test_a_waiting_job_is_cancelled_without_being_done(records: JobRecords, clock: Clock) -> None:
    work = Work()
    records.add(Job("job-1", "copy", "image", due_at=clock.now + 1000))
    assert records.cancel("job-1", clock.now)
    counted: list[tuple[str, str, float]] = []
    kinds = {"copy": Kind(work.perform, work.give_up)}
    do(Engine(records, Worker("w", 10.0, clock), kinds, call, lambda *count: counted.append(count)))
    assert (work.given_up, work.done) == ({"job-1": "it was cancelled"}, [])
    assert counted == [(Figure.JOBS_CANCELLED, "copy", 1)]
    assert not records.cancel("job-1", clock.now)


def test_a_job_that_is_claimed_while_the_process_stops_is_let_go(records: JobRecords, clock: Clock) -> None:
    job = add(records)

    async def scenario() -> None:
        claiming, go_on = asyncio.Event(), asyncio.Event()

        async def slow(function: Callable[..., Any], *args: Any) -> Any:
            if function == records.claim:
                claiming.set()
                await go_on.wait()
            return function(*args)

        kinds = {"copy": Kind(Work().perform, Work().give_up)}
        runner = asyncio.create_task(run_jobs(Engine(records, Worker("w", 10.0, clock), kinds, slow)))
        await claiming.wait()
        runner.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(runner, return_exceptions=True)

    asyncio.run(scenario())
    stored = records.get(job)
    assert stored is not None
    assert (stored.worker, stored.attempts, stored.due_at) == ("", 0, clock.now)


def test_a_process_stops_though_its_claim_fails(records: JobRecords, clock: Clock) -> None:
    async def scenario() -> None:
        claiming, go_on = asyncio.Event(), asyncio.Event()

        async def failing_late(_: Callable[..., Any], *__: Any) -> Any:
            claiming.set()
            await go_on.wait()
            raise RuntimeError("what?")

        kinds = {"copy": Kind(Work().perform, Work().give_up)}
        runner = asyncio.create_task(run_jobs(Engine(records, Worker("w", 10.0, clock), kinds, failing_late)))
        await claiming.wait()
        runner.cancel()
        await asyncio.sleep(0)
        go_on.set()
        async with asyncio.timeout(10):
            await asyncio.gather(runner, return_exceptions=True)

    asyncio.run(scenario())
