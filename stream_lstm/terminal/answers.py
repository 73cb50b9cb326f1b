"""What workers answer to commands, as tables and sentences."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream_lstm.contracts.reply import (
    Deleted,
    Description,
    LiveModel,
    ModelList,
    ModelStats,
    Paused,
    Retraining,
)
from stream_lstm.contracts.wire import OfSeries
from stream_lstm.terminal import experiments
from stream_lstm.terminal.figures import UNKNOWN, duration, moment, plain, share
from stream_lstm.terminal.rows import Rows

_FAINT = "dim"


def models(told: ModelList) -> RenderableType:
    """A row per model."""
    if not told.models:
        return Text("There is no model.")
    rows = [
        [
            _name(row),
            f"{plain(row.model_type)} {plain(row.version)}",
            moment(row.trained_at),
            f"{row.data_points:,}",
            f"{row.training_duration / 1000:.2f} s",
            f"{row.size / 1024:.0f} KiB",
            _share(row.accuracy),
        ]
        for row in told.models
    ]
    titles = ("Series", "Model", "Trained to (UTC)", "Candles", "Took", "Size", "Accuracy")
    noun = "model" if told.count == 1 else "models"
    return Group(Rows(titles, rows, titles[:3]), Text(f"{told.count:,} {noun}", _FAINT))


def stats(told: ModelStats) -> RenderableType:
    """What is known of one model, a line each; a dash is what has not been measured yet."""
    return _facts(
        _name(told),
        [
            ("model", f"{plain(told.model_type)} {plain(told.version)}, {plain(told.model_id)}"),
            ("trained up to", f"{moment(told.trained_at)} UTC, {duration(max(told.age, 0))} ago"),
            ("expires", UNKNOWN if told.expires_at is None else f"{moment(told.expires_at)} UTC"),
            ("candles", f"{told.data_points:,}, trained in {told.training_duration / 1000:.2f} s"),
            ("accuracy", _share(told.accuracy)),
            ("mean absolute error", _number(told.mae)),
            ("RMSE", _number(told.rmse)),
            ("mean error in %", _number(told.mape)),
            ("skill", _number(told.skill)),
            ("direction right", _share(told.directional_accuracy)),
            ("coverage", _share(told.coverage)),
        ],
    )


def deleted(told: Deleted) -> RenderableType:
    """What is gone."""
    if not told.deleted:
        return Text(plain(told.message))
    titles = ("Series", "Model", "Trained to (UTC)")
    rows = [
        [_name(one), plain(one.model_id), UNKNOWN if one.trained_at is None else moment(one.trained_at)]
        for one in told.deleted
    ]
    return Group(Text(plain(told.message)), Rows(titles, rows, titles))


def description(told: Description) -> RenderableType:
    """One series, a line each."""
    model, training = told.model, told.training
    answers = "hybrid, until a model is trained"
    if model is not None:
        answers = plain(f"{model.model_type} {model.model_id}") + (", stale" if model.stale else "")
    candles = f"{told.candles:,}, of which {told.needed:,} were needed"
    if told.candles < told.needed:
        answers, candles = "nothing yet", f"{told.candles:,} of {told.needed:,} needed"
    place = f", {training.place} before it" if training.place else ""
    state = Text("paused", "yellow") if told.paused else Text("speaks", "green")
    return _facts(
        _name(told),
        [
            ("state", state),
            ("worker", plain(told.worker_id)),
            ("partition", f"{plain(told.topic)} {told.partition}"),
            ("candles", candles),
            ("last candle", UNKNOWN if told.last_close is None else f"{moment(told.last_close)} UTC"),
            ("horizons", ", ".join(told.horizons) or UNKNOWN),
            ("answers", answers),
            ("trained up to", _trained(model, told.last_close)),
            ("expires", _expiry(told)),
            ("training", f"{training.state}{place}"),
            ("experiment", experiments.summary(told.experiment)),
            ("last error", plain(told.last_error) if told.last_error else UNKNOWN),
        ],
    )


def retraining(told: Retraining) -> RenderableType:
    """What was queued."""
    if not told.queued:
        return Text(f"{_name(told)}: a training is on its way already, {told.place} before it")
    return Text(f"{_name(told)}: queued, {told.place} before it")


def paused(told: Paused) -> RenderableType:
    """What holds now."""
    return Text(f"{_name(told)}: {'paused, it learns and says nothing' if told.paused else 'speaks'}")


def _trained(model: LiveModel | None, last_close: int | None) -> str:
    """Until when a model has seen candles, and by their own clock: that of a replay is not ours."""
    if model is None or model.trained_at is None:
        return UNKNOWN
    age = max((last_close or 0) - model.trained_at, 0)
    return f"{moment(model.trained_at)} UTC" + (f", {duration(age)} before the last candle" if age else "")


def _expiry(told: Description) -> str:
    at = told.model.expires_at if told.model is not None else None
    return UNKNOWN if at is None else f"{moment(at)} UTC"


def _name(series: OfSeries) -> str:
    return plain(f"{series.exchange} {series.symbol} {series.interval}")


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else share(value)


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"


def _facts(title: str, facts: Iterable[tuple[str, RenderableType]]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=_FAINT, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value)
    return Group(Text(title, "bold"), table)
