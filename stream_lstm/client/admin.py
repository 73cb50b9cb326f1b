"""Every command to the workers as an awaitable with a typed result."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from stream_lstm.client.exchange import Exchange
from stream_lstm.contracts.command import Command, CommandName
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.reply import (
    Deleted,
    Description,
    ModelList,
    ModelStats,
    Paused,
    RegimeReport,
    Reply,
    Retraining,
)
from stream_lstm.contracts.wire import Message
from stream_lstm.errors import CommandError, CommandFailed
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.topics import TopicNames

M = TypeVar("M", bound=Message)


class ModelAdmin:
    """Asks the workers, and tells them what to do. An async context manager; any number of calls at a time.

    ```
    async with ModelAdmin("localhost:9092") as admin:
        for model in (await admin.list_models()).models:
            print(model.symbol, model.accuracy)
        await admin.retrain("BTCUSDT")
    ```

    A series is named by its symbol, and by exchange and interval where that is not enough. `timeout` is in
    seconds, for one call or for all; a command that was not begun in that time is not done any more.

    Every call raises `CommandFailed` with the code if a worker's answer is no, `NoAnswer` when the time is
    over, `BrokerError` if Kafka could not be reached in it, `TopicMissing` at once. Entering needs no Kafka.
    """

    def __init__(
        self,
        kafka: KafkaConnection | str,
        *,
        prefix: str = "",
        timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`kafka` is a connection or bootstrap servers, `prefix` the workers' `topics.prefix`.

        Raises `SettingsError` if a file of the connection's security cannot be used.
        """
        connection = KafkaConnection(kafka) if isinstance(kafka, str) else kafka
        connection.client_options()  # files that cannot be used are said here
        self.timeout = timeout
        self._clock = clock
        self._exchange = Exchange(connection, TopicNames(prefix), clock)

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, trace)

    async def predict(
        self,
        symbol: str,
        horizon: str | None = None,
        confidence: float | None = None,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        model_type: str | None = None,
        timeout: float | None = None,
    ) -> Prediction:
        """The forecast at the newest candle; by default of the shortest horizon, as it is published.

        `model_type="hybrid"` is answered without a trained model.
        """
        return await self._ask(
            "predict",
            Prediction,
            timeout,
            symbol=symbol,
            horizon=horizon,
            confidence=confidence,
            exchange=exchange,
            interval=interval,
            model_type=model_type,
        )

    async def regime(
        self,
        symbol: str,
        lookback_days: int | None = None,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> RegimeReport:
        """Bull, bear or sideways, now and in the last `lookback_days` (30)."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("regime", RegimeReport, timeout, lookback_days=lookback_days, **named)

    async def list_models(self, *, timeout: float | None = None) -> ModelList:
        """The newest model of every series, the last trained first."""
        return await self._ask("list-models", ModelList, timeout)

    async def model_stats(
        self,
        symbol: str,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> ModelStats:
        """A series' model, and how it has done lately. Fails with `MODEL_NOT_FOUND` without one."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("model-stats", ModelStats, timeout, **named)

    async def delete_model(
        self,
        symbol: str,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete the models of a symbol, everywhere; those that there are not need no deleting."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("delete-model", Deleted, timeout, **named)

    async def cleanup_models(
        self,
        max_age_days: float = 30,
        *,
        symbol: str | None = None,
        exchange: str | None = None,
        interval: str | None = None,
        model_type: str | None = None,
        timeout: float | None = None,
    ) -> Deleted:
        """Delete models whose last candle is older than `max_age_days`; of all series, or those named."""
        return await self._ask(
            "cleanup-models",
            Deleted,
            timeout,
            max_age_days=max_age_days,
            symbol=symbol,
            exchange=exchange,
            interval=interval,
            model_type=model_type,
        )

    async def retrain(
        self,
        symbol: str,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> Retraining:
        """Have a series trained as if its model had expired; returns when that is queued."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("retrain", Retraining, timeout, **named)

    async def pause(
        self,
        symbol: str,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> Paused:
        """Let a series say nothing until it is resumed; it goes on learning."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("pause", Paused, timeout, **named)

    async def resume(
        self,
        symbol: str,
        *,
        take_over: bool = False,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> Paused:
        """Let a series speak again; with `take_over` in the partition that it was refused in."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("resume", Paused, timeout, take_over=take_over, **named)

    async def describe(
        self,
        symbol: str,
        *,
        exchange: str | None = None,
        interval: str | None = None,
        timeout: float | None = None,
    ) -> Description:
        """What one asks first about a series: who has it, how many candles, which model, what is wrong."""
        named = {"symbol": symbol, "exchange": exchange, "interval": interval}
        return await self._ask("describe", Description, timeout, **named)

    async def command(self, command: Command, *, timeout: float | None = None) -> Reply:
        """Send a command as it is, and return the first complete reply to its id, whether it says yes or no.

        A command that was sent before, by whomever, is not done again: its reply is found if it is not
        older than a quarter of an hour.
        """
        return await self._exchange.ask(command, self.timeout if timeout is None else timeout)

    async def reply_to(self, command_id: str, *, timeout: float | None = None) -> Reply:
        """The first complete reply to a command that was sent already."""
        return await self._exchange.wait(command_id, self.timeout if timeout is None else timeout)

    async def trouble(self, seconds: float = 2.0) -> str | None:
        """What keeps it from Kafka, as a sentence; None if the brokers answer within `seconds`."""
        return await self._exchange.trouble(seconds)

    @property
    def last_answer_ms(self) -> int | None:
        """When a worker last answered a command, of whomever; epoch ms, None if not in the last minutes."""
        return self._exchange.newest_answer_ms

    @property
    def silent_since_ms(self) -> int | None:
        """Since when commands of ours have had no answer; epoch ms, None if the last one had."""
        return self._exchange.silent_since_ms

    async def _ask(self, name: CommandName, result: type[M], timeout: float | None, **fields: Any) -> M:
        seconds = self.timeout if timeout is None else timeout
        reply = await self.command(self._made(name, seconds, fields), timeout=seconds)
        if not reply.success:
            code, message = (
                (reply.error.code, reply.error.message) if reply.error else ("", "no reason given")
            )
            raise CommandFailed(code, message, reply)
        try:
            return result.model_validate(reply.data)
        except ValidationError as error:
            raise CommandError(
                f"the reply of {reply.worker_id} to {name} cannot be read, is it of another version? "
                f"{_problems(error)}"
            ) from error

    def _made(self, name: CommandName, seconds: float, fields: dict[str, Any]) -> Command:
        now = self._clock() * 1000
        frame = {"command": name, "command_id": str(uuid4()), "issued_at": int(now)}
        try:
            return Command.model_validate(frame | {"expires_at": int(now + seconds * 1000)} | fields)
        except ValidationError as error:
            raise CommandFailed("INVALID_REQUEST", _problems(error)) from None


def _problems(error: ValidationError) -> str:
    told = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(map(str, one["loc"]))
        told.append(f"{where}: {one['msg']}" if where else one["msg"].removeprefix("Value error, "))
    return "; ".join(told)
