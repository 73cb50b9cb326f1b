"""The report as a document: whole, by itself, light, and saying what the numbers say."""

import re
from html.parser import HTMLParser

import pytest

from stream_lstm.evaluation.cost import Cost
from stream_lstm.evaluation.report.page import Asked, html
from stream_lstm.evaluation.report.svg import Plot, Span, ticks
from stream_lstm.evaluation.summary import Judged
from tests.evaluation.planted import judged, told, walk

ASKED = Asked(["lstm", "har", "naive"], 0.9, "14d")
COSTS = [
    Cost("lstm", 2, 8_000, 16_000, 10, 0, 5.0, 4.0, 20.0),
    Cost("naive", 2, 8_000, 16_000, 0, 0, 0, 0, 3.0),
]
VOID = {"meta", "link", "br"}
SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT", "SOLUSDT", "LTCUSDT", "BNBUSDT", "ADAUSDT")


class Document(HTMLParser):
    """Fails where tags do not close as they were opened; keeps what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes something else, at {self.getpos()}"

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def verdicts() -> list[Judged]:
    """Three models for two series: one true, one too wide, one far off; 1 h and 24 h ahead."""
    found = []
    for model, width in (("lstm", 1.0), ("har", 1.3), ("naive", 30.0)):
        for symbol, seed in (("BTCUSDT", 3), ("ETHUSDT", 4)):
            candles = walk(3_000, seed, symbol)
            found += [judged(candles, told(candles, steps, width=width), model) for steps in (1, 24)]
    return found


@pytest.fixture(scope="module")
def page(verdicts: list[Judged]) -> str:
    return html(ASKED, verdicts, COSTS)


def text_of(page: str) -> str:
    body = re.sub(r"<(style|title|desc)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", body).split())


def test_it_is_one_document_that_refers_to_nothing(page: str) -> None:
    document = Document(page)
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in document.tags}
    links = [
        value for _, of in document.tags for name, value in of.items() if name in ("href", "src", "action")
    ]
    assert links == ["data:,"]
    assert not re.search(r"https?:|url\(|@import|//", page)
    assert (document.count("html"), document.count("main"), document.count("h1")) == (1, 1, 1)


def test_every_picture_has_a_title_and_every_cell_its_heading(page: str) -> None:
    document = Document(page)
    pictures = [of for tag, of in document.tags if tag == "svg"]
    assert sum(of.get("role") == "img" for of in pictures) == 2 * 6
    assert all(of.get("role") == "img" or of.get("aria-hidden") == "true" for of in pictures)
    assert page.count('role="img"><title>') == 2 * 6
    assert all(of.get("scope") in ("col", "row") for tag, of in document.tags if tag == "th")
    assert document.count("table") == document.count("caption")


def test_the_verdict_says_what_the_numbers_say(page: str, verdicts: list[Judged]) -> None:
    text = text_of(page)
    skill = sum(one.worth.interval_skill.value for one in verdicts[:4:2]) / 2
    assert (
        f"1h intervals are {abs(skill):.1%} better than the unit: 2 of 2 better by more than chance" in text
    )
    assert "The point forecast is no better than the last price" in text
    assert re.search(r"Against har: points .*: \+\d+\.\d\d at 1h \(2 of 2 better\)", text)
    inside = [one.worth.coverage.overall for one in verdicts[:4:2]]
    assert f"({min(inside):.1%} … {max(inside):.1%} by series)" in text
    assert "from 2021-01-" in text
    assert "of 2,8" in text


def test_whoever_is_worse_is_called_worse(verdicts: list[Judged]) -> None:
    text = text_of(html(ASKED, [one for one in verdicts if one.model == "naive"], COSTS))
    assert re.search(r"1h intervals are \d+\.\d% worse than the unit: 0 of 2 better, 2 worse", text)
    assert "Judged is naive" in text
    assert "Against" not in text


def test_a_reference_that_is_far_off_is_told_at_the_edge_and_hides_nothing(page: str) -> None:
    assert re.search(r">◂ −?-?[\d,]+% naive</text>", page)


def test_the_cost_is_told_by_fit(page: str) -> None:
    row = re.search(r'<th scope="row" class="word">lstm</th>(<td>2</td><td>10</td>.*?)</tr>', page)
    assert row is not None
    cells = re.findall(r">([^<]+)</td>", row[1])
    assert cells == ["2", "10", "0", "0.50", "0.40", "5.0", "20.0", "8,000", "16,000"]


def test_seven_series_and_four_horizons_are_light_enough_to_mail(verdicts: list[Judged]) -> None:
    many = [
        one._replace(symbol=symbol, horizon=horizon)
        for one in verdicts[::4]
        for symbol in SYMBOLS
        for horizon in ("1h", "4h", "1d", "7d")
    ]
    assert len(html(ASKED, many, COSTS).encode()) < 600_000


def test_a_name_cannot_write_into_the_page(verdicts: list[Judged]) -> None:
    name = "<script>alert('1')</script>&\"x"
    page = html(ASKED, [one._replace(symbol=name) for one in verdicts[:2]], COSTS)
    assert not Document(page).count("script")


def test_one_series_and_one_horizon_make_a_page_too(verdicts: list[Judged]) -> None:
    Document(html(Asked(["lstm"], 0.9, "24h"), verdicts[:1], COSTS[:1]))


def test_few_forecasts_make_no_curve_and_none_no_verdict() -> None:
    short = walk(500)
    page = html(Asked(["lstm"], 0.9, "24h"), [judged(short, told(short))], COSTS[:1])
    assert "Fewer than 500 forecasts: no curve." in page
    assert "No forecast could be judged" in text_of(html(Asked(["lstm"], 0.9, "24h"), [], COSTS[:1]))


def test_marks_are_where_the_numbers_are() -> None:
    plot = Plot("t", "", Span(0, 10), Span(0, 1), height=238, left=20, bottom=30)
    assert (plot.x(0), plot.x(10), plot.x(99)) == (20, 308, 308)
    assert (plot.y(0), plot.y(1), plot.y(0.5)) == (208, 8, 108)
    plot.mark("circle", 5, 0.5, "subject", "a <b>")
    assert 'transform="translate(164.0,108.0)"' in plot.svg()
    assert "a &lt;b&gt;" in plot.svg()


@pytest.mark.parametrize(("low", "high"), [(0, 1e-7), (-3e5, 2e9), (0.872, 0.926), (-1, 1)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(Span(low, high))
    assert 2 <= len(found) <= 5
    assert low <= found[0] < found[-1] <= high
