"""Where candles come from."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from stream_lstm.candles.decode import FORMATS
from stream_lstm.candles.formats import NO_PIN, Pin
from stream_lstm.candles.units import interval_ms
from stream_lstm.errors import BadCandle
from stream_lstm.settings.section import Section

TopicName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None
    return text


def _format(name: str) -> str:
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, n=1)
        raise ValueError(f"{f'did you mean {near[0]}? ' if near else ''}Known are {', '.join(FORMATS)}")
    return name


def _interval(text: str) -> str:
    try:
        return interval_ms(text)[0]
    except BadCandle as error:
        raise ValueError(str(error)) from None


class Input(Section):
    """Where candles come from, and what is known about them. What is fixed here wins over the body."""

    topic: TopicName | None = None
    """One topic by its full name."""
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_expression)] | None = None
    """Or all topics whose whole name matches this expression; our own are never among them."""
    format: Annotated[str, AfterValidator(_format)] | None = None
    """The producer's format. Not set, it is told by the shape of each message."""
    exchange: str | None = Field(default=None, pattern=r"^[^:\s]{1,64}$")
    """The exchange, so that spot and futures of one exchange stay apart."""
    interval: Annotated[str, AfterValidator(_interval)] | None = None
    """The candles' interval, such as 1h."""

    @model_validator(mode="after")
    def _topic_or_pattern(self) -> Self:
        if (self.topic is None) == (self.pattern is None):
            raise ValueError("an input has either a topic or a pattern")
        return self

    @property
    def pin(self) -> Pin:
        """What the decoder is told."""
        return Pin(self.format, self.exchange, self.interval)


def pin_of(inputs: Iterable[Input], topic: str) -> Pin:
    """What the inputs fix about the candles of a topic: the one that names it, else the first that matches.

    >>> pin_of([Input(pattern="candles-.*"), Input(topic="candles-a", exchange="okx")], "candles-a").exchange
    'okx'
    """
    inputs = list(inputs)
    for each in inputs:
        if each.topic == topic:
            return each.pin
    for each in inputs:
        if each.pattern is not None and re.fullmatch(each.pattern, topic):
            return each.pin
    return NO_PIN


def is_input(inputs: Iterable[Input], topic: str) -> bool:
    """Whether the inputs name or match a topic.

    >>> is_input([Input(pattern="candles-.*")], "candles-a"), is_input([Input(topic="candles")], "control")
    (True, False)
    """
    return any(
        topic == each.topic or (each.pattern is not None and re.fullmatch(each.pattern, topic))
        for each in inputs
    )
