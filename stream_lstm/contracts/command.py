"""Commands: what is written to `control`, and what a reader makes of rubbish there."""

from typing import Annotated, Any, Final, Literal, Self, get_args

import orjson
from pydantic import Field, ValidationError, model_validator

from stream_lstm.contracts.wire import EpochMs, Length, Message

CommandName = Literal[
    "predict",
    "regime",
    "list-models",
    "model-stats",
    "delete-model",
    "cleanup-models",
    "retrain",
    "pause",
    "resume",
    "describe",
    "start-experiment",
    "stop-experiment",
    "list-experiments",
]
COMMANDS: Final[tuple[str, ...]] = get_args(CommandName)
NAMES_A_SERIES: Final = frozenset(
    {"predict", "regime", "model-stats", "delete-model", "retrain", "pause", "resume", "describe"}
)
"""Commands about one series."""
ANSWERED_BY_OWNER: Final = frozenset({"predict", "regime", "retrain", "pause", "resume", "describe"})
"""Of these, those that only a live series can answer."""
DELETES: Final = frozenset({"delete-model", "cleanup-models"})
"""Commands about models in the store, of however many series."""
EXPERIMENTS: Final = frozenset({"start-experiment", "stop-experiment", "list-experiments"})
"""Commands about experiments: of a series if one is named, else of as many as there are."""
LONGEST_ID: Final = 200

Part = Annotated[str, Field(min_length=1, max_length=200)]


class Command(Message):
    """One command. A series that is not named whole is completed by the defaults, or by the only match."""

    command: CommandName
    command_id: str = Field(
        min_length=1, max_length=LONGEST_ID, description="Given again in every reply; a repeat does nothing."
    )
    issued_at: EpochMs = Field(description="By the sender's clock.")
    expires_at: EpochMs | None = Field(
        None, description="Nothing is done after this; never later than `control.command_ttl` after issuedAt."
    )
    exchange: Part | None = Field(None, examples=["binance"])
    symbol: Part | None = Field(None, examples=["BTCUSDT"])
    interval: Length | None = Field(None, examples=["1h"])
    horizon: Length | None = Field(None, description="Of predict; the shortest if not given.")
    confidence: float | None = Field(
        None, ge=0.01, le=0.999, description="Of predict; the published one if not given."
    )
    max_age_days: float | None = Field(None, gt=0, description="Of cleanup-models; 30 if not given.")
    model_type: Part | None = Field(
        None, description="Of predict: `hybrid` is answered without a model. Of cleanup-models: only these."
    )
    lookback_days: int | None = Field(None, ge=1, le=365, description="Of regime; 30 if not given.")
    take_over: bool = Field(
        False, description="Of resume: let the series go on in the partition that it was refused in."
    )

    challenger: Part | None = Field(None, description="Of start-experiment: a model type.", examples=["har"])
    alpha: float | None = Field(
        None, ge=0.0001, le=0.5, description="Of start-experiment; 0.05 if not given."
    )
    max_candles: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Of start-experiment; 2,000 times the shortest horizon if not given.",
    )
    share: float | None = Field(
        None, gt=0, le=1, description="Of start-experiment without a symbol: of the series; 1 if not given."
    )
    experiment_id: Part | None = Field(None, description="Of stop-experiment, instead of a symbol.")

    @property
    def is_of_many(self) -> bool:
        """Whether it is about experiments on as many series as there are."""
        return (self.command in EXPERIMENTS and self.symbol is None) or self.command == "list-experiments"

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Self:
        if self.command in NAMES_A_SERIES and self.symbol is None:
            raise ValueError(f"{self.command} needs a symbol")
        if self.command == "start-experiment" and self.challenger is None:
            raise ValueError("start-experiment needs a challenger: the model type to be tried")
        if self.command == "start-experiment" and None not in (self.symbol, self.share):
            raise ValueError("start-experiment takes a symbol or a share of all series, not both")
        if self.command == "stop-experiment" and (self.symbol is None) == (self.experiment_id is None):
            raise ValueError("stop-experiment needs an experimentId or a symbol")
        return self


class Unreadable(ValueError):
    """A record of `control` that is no command; what can be told of it is kept for the answer."""

    def __init__(self, message: str, *, command_id: str | None = None, command: str | None = None) -> None:
        super().__init__(message)
        self.command_id = command_id
        self.command = command

    @property
    def is_unknown(self) -> bool:
        """Whether it asks for a command that there is not."""
        return self.command is not None and self.command not in COMMANDS


def parse(value: bytes | None) -> Command:
    """The command that a record says. Raises `Unreadable`, which says every field that is wrong.

    >>> parse(b'{"command": "dance", "commandId": "7"}')
    Traceback (most recent call last):
    stream_lstm.contracts.command.Unreadable: there is no command 'dance'; issuedAt: Field required
    """
    try:
        told: Any = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(told, dict):
        raise Unreadable("not a JSON object")
    id, name = told.get("commandId"), told.get("command")
    known_id = id if isinstance(id, str) and 0 < len(id) <= LONGEST_ID else None
    known_name = name if isinstance(name, str) else None
    try:
        return Command.model_validate(told)
    except ValidationError as error:
        raise Unreadable(_told(error), command_id=known_id, command=known_name) from None


def _told(error: ValidationError) -> str:
    problems = []
    for one in error.errors(include_url=False, include_context=False):
        where = ".".join(map(str, one["loc"]))
        if where == "command" and one["type"] == "literal_error":
            problems.append(f"there is no command {str(one['input'])[:50]!r}")
        else:
            problems.append(f"{where}: {one['msg']}" if where else one["msg"].removeprefix("Value error, "))
    return "; ".join(problems)
