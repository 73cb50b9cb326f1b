"""A disk that is full, a bucket that is down or hangs, checkpoints of another version: told, and survived."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stream_lstm.checkpoints import codec
from stream_lstm.checkpoints.store import CheckpointStore
from stream_lstm.registry.objects import Objects
from tests.acceptance.bucket import Bucket
from tests.acceptance.conftest import Application
from tests.acceptance.test_trouble import (
    EXPECTED,
    SETTINGS,
    a_market,
    assert_each_prediction_is_there,
    some_said,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def can_mount() -> bool:
    """Whether a process may have mounts of its own, which some containers forbid."""
    unshare = shutil.which("unshare")
    command = [unshare, "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return unshare is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.rglob(pattern))


@pytest.mark.timeout(240)
@pytest.mark.skipif(not can_mount(), reason="needs a mount of its own: unshare -Urm is not allowed here")
async def test_a_full_disk_costs_no_prediction_and_is_written_to_again(application: Application) -> None:
    market, store = a_market(), application.folder / "store"
    store.mkdir()
    await application.feed(market[:130])
    unshare = shutil.which("unshare")
    assert unshare is not None
    fill = 'mount -t tmpfs -o size=256k none $0 && { cat /dev/zero > $0/ballast 2>/dev/null; exec "$@"; }'
    under = [unshare, "-Urm", "sh", "-c", fill, str(store)]
    worker = application.start_worker(under=under, worker__stall_timeout="25s", **SETTINGS)
    await application.logged("series wait for their claims", times=6)  # longer than a worker may stall
    inside = Path(f"/proc/{worker.pid}/root{store}")
    ballast = inside / "ballast"
    ballast.unlink()
    await application.until(lambda: some_said(application))
    with suppress(OSError):
        ballast.write_bytes(bytes(1 << 20))
    await application.logged("no checkpoint at", times=2)
    log = application.log_of(0)
    assert "No space left on device" in log
    assert "check store.url" in log
    await application.feed(market[130:])
    await assert_each_prediction_is_there(application)
    assert found(inside, "*.part") == [], "nothing half written takes the room of others"
    before = set(found(inside, "tail-*"))
    ballast.unlink()

    async def saved() -> bool:
        return bool(set(found(inside, "tail-*")) - before)

    await application.until(saved)
    assert worker.exit_code is None


async def said_and_stopped(application: Application) -> None:
    """A worker has said everything, and left its checkpoints: of two partitions, the third has no series."""
    await application.feed(a_market())
    first = application.start_worker(**SETTINGS)
    await assert_each_prediction_is_there(application)
    await asyncio.to_thread(first.stop, 20)


def rewrite(application: Application, format: int) -> None:
    """Every checkpoint as a version of that format would have written it."""
    store = CheckpointStore(
        Objects((application.folder / "store").as_uri()), application.settings["kafka.group"], keep=99
    )
    with pytest.MonkeyPatch.context() as patch:
        for partition in range(3):
            place = (application.candles, partition)
            loaded = [store.load(place, offset) for offset in store.offsets(place)]
            patch.setattr(codec, "FORMAT", format)
            for checkpoint in loaded:
                store.save(checkpoint)
            patch.undo()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("change", [-1, 1], ids=["older", "newer"])
async def test_checkpoints_of_another_format_are_passed_over_with_the_way_out(
    application: Application, change: int
) -> None:
    await said_and_stopped(application)
    rewrite(application, codec.FORMAT + change)
    second = application.start_worker(**SETTINGS)
    await application.logged("partition.restored", worker=1, times=3)
    log = application.log_of(1)
    assert f"cannot be used: format {codec.FORMAT + change}, this version reads {codec.FORMAT}" in log
    assert "it is read from the candles again; or run the version that saved it" in log
    reasons = [event["data"]["reason"] for event in await application.events("partition.restored")]
    assert sum(f"format {codec.FORMAT + change}" in reason for reason in reasons) == 2, reasons
    assert second.exit_code is None
    assert await application.count("predictions") == EXPECTED


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with Bucket() as bucket:
        for name, value in bucket.surroundings.items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest.mark.timeout(300)
async def test_a_bucket_that_is_down_costs_no_prediction_and_is_asked_again(
    application: Application, bucket: Bucket
) -> None:
    market, settings = a_market(), SETTINGS | {"store__url": "s3://bucket/prod"}
    await application.feed(market[:130])
    worker = application.start_worker(**settings)

    async def saved() -> bool:
        return any("/tail-" in name for name in bucket.names())

    await application.until(saved)
    bucket.close()
    await application.feed(market[130:])
    await assert_each_prediction_is_there(application)
    await application.logged("no checkpoint at")
    assert "store s3://bucket/prod: cannot save" in application.log_of(0)
    assert "hidden" not in application.log_of(0)
    before = bucket.names()
    bucket.open()

    async def saved_again() -> bool:
        return bucket.names() != before

    await application.until(saved_again)
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_a_bucket_that_hangs_holds_no_prediction_and_no_stop(
    application: Application, bucket: Bucket
) -> None:
    market, settings = a_market(), SETTINGS | {"store__url": "s3://bucket/prod"}
    await application.feed(market[:130])
    worker = application.start_worker(**settings)
    await application.until(lambda: some_said(application))
    bucket.silent = True
    await application.feed(market[130:])
    await assert_each_prediction_is_there(application)
    await asyncio.to_thread(worker.stop, 25)
    assert worker.exit_code == 0, application.log_of(0)[-3000:]
    assert "the store has not saved every partition, the next owner replays more" in application.log_of(0)


@pytest.mark.timeout(240)
async def test_a_bucket_that_is_down_when_a_worker_starts_is_waited_for(
    application: Application, bucket: Bucket
) -> None:
    settings = SETTINGS | {"store__url": "s3://bucket/prod"}
    await application.feed(a_market())
    first = application.start_worker(**settings)
    await assert_each_prediction_is_there(application)
    await asyncio.to_thread(first.stop, 20)
    bucket.close()
    second = application.start_worker(**settings)
    await application.logged("cannot be restored yet, again in", worker=1)
    assert "store s3://bucket/prod: cannot" in application.log_of(1)
    bucket.open()
    await application.logged("partition.restored", worker=1, times=3)
    assert second.exit_code is None
    assert await application.count("predictions") == EXPECTED
