from pathlib import Path

import pytest

from stream_lstm.errors import StreamLstmError
from stream_lstm.streaming.worker_process import WorkerProcess


async def test_a_worker_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    async with WorkerProcess({"horizons": ["1x"]}, tmp_path / "worker.log") as worker:
        with pytest.raises(StreamLstmError, match=r"(?s)exit code 2.*horizon '1x'"):
            await worker.ended()
    assert worker.address is None
