"""Models of the store as replies list them."""

from typing import Any

from stream_lstm.candles.series import SeriesKey
from stream_lstm.registry.catalog import Catalog, Listed


def rows(catalog: Catalog) -> list[dict[str, Any]]:
    """The newest model of every series, the last trained first. Blocks; raises `StoreError`."""
    newest = sorted(catalog.newest(), key=lambda one: (-one.trained_at, one.stored.series))
    return [_row(one) for one in newest]


def row(catalog: Catalog, series: SeriesKey | None, answering: str | None = None) -> dict[str, Any] | None:
    """The model of a series that is `answering`, by its id; else its newest; None if it has none.

    Blocks; raises `StoreError`.
    """
    if series is None:
        return None
    found = catalog.models(str(series))
    chosen = next((one for one in found if one.stored.model_id == answering), None)
    return _row(chosen or found[0]) if found else None


def _row(one: Listed) -> dict[str, Any]:
    told = one.told
    return SeriesKey.parse(one.stored.series)._asdict() | {
        "modelId": one.stored.model_id,
        "modelType": told["modelType"],
        "version": told["version"],
        "trainedAt": one.trained_at,
        "lastTrained": one.trained_at,
        "accuracy": told["accuracy"],
        "trainingDuration": told["trainingDuration"],
        "dataPoints": told["dataPoints"],
        "config": told["config"],
        "size": one.stored.size,
    }
