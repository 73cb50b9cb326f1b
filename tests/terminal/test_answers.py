"""Answers to commands as tables."""

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from stream_lstm.contracts.experiment import ExperimentList
from stream_lstm.contracts.reply import Deleted, Description, ModelList, ModelStats, Paused, Retraining
from stream_lstm.terminal import answers, experiments
from tests.client.scripted import DELETED, DESCRIPTION, EXPERIMENT, SERIES, STATS, model


def drawn(renderable: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(renderable)
    return out.getvalue()


def test_models_are_a_row_each() -> None:
    rows = [model("ETHUSDT"), model("BTCUSDT", accuracy=None)]
    text = drawn(answers.models(ModelList.model_validate({"models": rows, "count": 2})))
    lines = [line for line in text.splitlines() if "USDT" in line]
    assert "binance ETHUSDT 1h" in lines[0]
    assert "98.6%" in lines[0]
    assert lines[1].rstrip().endswith("–")
    assert "There is no model" in drawn(answers.models(ModelList(count=0)))


def test_statistics_that_are_not_measured_are_a_dash() -> None:
    text = drawn(answers.stats(ModelStats.model_validate(STATS)))
    assert "RMSE                 20.1" in text
    assert "direction right      –" in text
    assert "1h ago" in text


def test_what_was_deleted_is_named() -> None:
    assert "m-BTCUSDT" in drawn(answers.deleted(Deleted.model_validate(DELETED)))
    assert drawn(answers.deleted(Deleted(message="nothing to do", deleted_count=0))) == "nothing to do\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            [
                "speaks",
                "8,760, of which 100 were needed",
                "queued, 3 before it",
                "lstm m-BTCUSDT ",
                "trained up to",
            ],
        ),
        ({"paused": True, "lastError": "too little\x1b[2J"}, ["paused", "too little·[2J"]),
        ({"candles": 63, "model": None}, ["nothing yet", "63 of 100"]),
        ({"model": None}, ["hybrid, until a model is trained"]),
    ],
)
def test_a_description_says_what_is_going_on(changes: dict[str, Any], words: list[str]) -> None:
    text = drawn(answers.description(Description.model_validate(DESCRIPTION | changes)))
    for word in words:
        assert word in text


def test_what_was_done_is_a_sentence() -> None:
    queued = Retraining.model_validate(SERIES | {"queued": False, "place": 2})
    assert "on its way already, 2 before it" in drawn(answers.retraining(queued))
    assert "says nothing" in drawn(answers.paused(Paused.model_validate(SERIES | {"paused": True})))


def test_experiments_fit_into_eighty_columns() -> None:
    ended = EXPERIMENT | {"outcome": "undecided", "candles": 2_000, "horizons": []}
    told = ExperimentList.model_validate({"experiments": [EXPERIMENT, ended], "count": 2})
    out = io.StringIO()
    Console(file=out, width=80).print(experiments.listed(told))
    lines = [line for line in out.getvalue().splitlines() if "BTCUSDT" in line]
    assert lines[0].split() == [
        *("c81f02d4", "binance", "BTCUSDT", "1h", "har", "running", "412", "7.25", "0.031", "+5.0%")
    ]
    assert lines[1].split()[-3:] == ["–", "–", "–"]
    assert "There is no experiment" in drawn(experiments.listed(ExperimentList(count=0)))


def test_a_description_tells_of_the_experiment() -> None:
    text = drawn(answers.description(Description.model_validate(DESCRIPTION | {"experiment": EXPERIMENT})))
    assert "har running, 412 candles, evidence 7.25 better, 0.031 worse (c81f02d4)" in text
