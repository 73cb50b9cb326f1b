"""The whole page: what was asked, the verdict, the pictures, the tables."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from stream_lstm.evaluation.cost import Cost
from stream_lstm.evaluation.report import figures, prose, tables, words
from stream_lstm.evaluation.report.dates import day
from stream_lstm.evaluation.report.horizon import Ahead, by_horizon
from stream_lstm.evaluation.report.style import STYLE
from stream_lstm.evaluation.summary import Judged, summarise


class Asked(NamedTuple):
    """What was walked. Of the models the first is judged, the others stand beside it."""

    models: Sequence[str]
    confidence: float
    retrain: str
    """Time between two trainings, as people write it."""


def html(asked: Asked, judged: Sequence[Judged], costs: Sequence[Cost]) -> str:
    """The report as one document without a reference to anything outside of it."""
    aheads, symbols = by_horizon(judged), list(dict.fromkeys(one.symbol for one in judged))
    title = f"Backtest of {', '.join(symbols)}" if symbols else "Backtest"
    seen = [_question(asked, aheads), _verdict(aheads), *_pictures(aheads), *_worst(aheads)] if aheads else []
    return "\n".join(
        [
            _head(title),
            f"<main><h1>{escape(title)}</h1>",
            *(seen or [f"<p>{prose.NONE}</p>"]),
            "<h2>What it cost</h2>",
            tables.costs(costs),
            *_figures(judged),
            "</main></body></html>\n",
        ]
    )


def _head(title: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
    )


def _question(asked: Asked, aheads: Sequence[Ahead]) -> str:
    times = [one.evidence.as_of for ahead in aheads for one in ahead.judged.values()]
    first, last = min(int(each[0]) for each in times), max(int(each[-1]) for each in times)
    judged, *beside = [aheads[0].model, *(model for model in asked.models if model != aheads[0].model)]
    others = f"; {_listed(beside)} beside it" if beside else ""
    ahead = escape(_listed([each.name for each in aheads]))
    return (
        f"<p><b>Asked:</b> at every candle that closed from {day(first)} to {day(last)}, how far may "
        f"the price go in the next {ahead}, so that {asked.confidence:.0%} of what comes is inside? "
        f"Judged is <b>{escape(judged)}</b>, trained anew every {escape(asked.retrain + others)}.</p>"
    )


def _verdict(aheads: Sequence[Ahead]) -> str:
    _, *models = aheads[0].models
    compared = [line for model in models if (line := words.beside(model, aheads)) is not None]
    said = [*map(words.intervals, aheads), *compared, words.point(aheads)]
    items = "".join(f"<li><b>{escape(head)}</b>: {escape(behind)}</li>" for head, behind in said)
    average, *others = prose.PROMISES
    warned = "".join(f"<li>{line}</li>" for line in (average, escape(words.overlap(aheads)), *others))
    return (
        f'<section class="verdict"><h2>Verdict</h2>{prose.paragraph(prose.UNIT)}<ul>{items}</ul>'
        f"<h2>What {aheads[0].confidence:.0%} does not promise</h2><ul>{warned}</ul></section>"
    )


def _pictures(aheads: Sequence[Ahead]) -> list[str]:
    parts = []
    for title, text, drawn in figures.CHAPTERS:
        legend = figures.legend(aheads) if drawn is figures.skill else ""
        parts += [f"<h2>{title}</h2>", prose.paragraph(text) + legend, figures.in_a_row(aheads, drawn)]
    return [*parts, tables.folded("Coverage of all intervals", tables.coverages(aheads))]


def _worst(aheads: Sequence[Ahead]) -> list[str]:
    each = (
        tables.folded(f"{ahead.name} ahead", tables.misses(ahead) + tables.days(ahead), shown=at == 0)
        for at, ahead in enumerate(aheads)
    )
    return ["<h2>Worst forecasts and days</h2>", prose.paragraph(prose.WORST), *each]


def _figures(judged: Sequence[Judged]) -> list[str]:
    rows = [one.row() for one in judged]
    return [
        "<h2>All figures</h2>",
        prose.paragraph(prose.TERMS),
        tables.table("Over all series", tables.SUMMARY, summarise(judged)),
        tables.folded("Each series", tables.table("Each series", tables.EACH, rows)),
        tables.folded("Coverage by hour of day", tables.hours(rows)),
    ]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
