"""The vocabulary of the dashboards: queries, figures, lines, bands and boards. One data source for all."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final, NamedTuple, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import candlestick, common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.models.candlestick import CandleStyle, VizDisplayMode
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
"""As deploy/grafana/provisioning names it."""
WIDTH: Final = 24
TAG: Final = "stream-lstm"
RATE: Final = "[$__rate_interval]"
GREEN, ORANGE, RED = "green", "orange", "red"

P = TypeVar("P", stat.Panel, timeseries.Panel, candlestick.Panel)
Panel: TypeAlias = stat.Panel | timeseries.Panel | candlestick.Panel
Steps: TypeAlias = tuple[tuple[float, str], ...]
"""From which value on which colour holds; the first one from minus infinity."""


class Query(NamedTuple):
    """What is asked, and how its lines are called (`{{label}}`)."""

    expr: str
    legend: str


class Place(NamedTuple):
    """A panel and its width, of `WIDTH`."""

    panel: Panel
    width: int


Row: TypeAlias = tuple[int, Sequence[Place]]
"""Height and what stands side by side."""


def quantile(level: float, histogram: str, matchers: str = "") -> str:
    """A quantile of a histogram over all workers."""
    return f"histogram_quantile({level}, sum by (le) (rate({histogram}_bucket{matchers}{RATE})))"


def number(
    title: str, why: str, query: Query, *, unit: str = "short", decimals: int | None = None, steps: Steps = ()
) -> stat.Panel:
    """One figure with its course behind it; coloured by `steps`, else plain."""
    panel = (
        stat.Panel()
        .unit(unit)
        .color_mode(BigValueColorMode.VALUE if steps else BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_thresholds(steps or ((0, "text"),)))
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    return _told(panel, title, why, (query,))


def lines(
    title: str,
    why: str,
    *queries: Query,
    unit: str = "short",
    limits: tuple[float | None, float | None] = (None, None),
    dashed: Iterable[str] = (),
) -> timeseries.Panel:
    """Lines over time. `limits` of the axis; those whose name matches a regular expression are `dashed`."""
    panel = (
        timeseries.Panel()
        .unit(unit)
        .line_width(1)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    lowest, highest = limits
    if lowest is not None:
        panel = panel.min(lowest)
    if highest is not None:
        panel = panel.max(highest)
    for name in dashed:
        panel = panel.override_by_regexp(name, _DASHED)
    return _told(panel, title, why, queries)


def band(panel: timeseries.Panel, upper: str, lower: str, opacity: int) -> timeseries.Panel:
    """Fill between two lines of a panel, known by their names."""
    filled = [
        DynamicConfigValue(id_val="custom.fillBelowTo", value=lower),
        DynamicConfigValue(id_val="custom.fillOpacity", value=opacity),
        *_colour("blue"),
        DynamicConfigValue(id_val="custom.lineWidth", value=0),
    ]
    edge = [*_colour("blue"), DynamicConfigValue(id_val="custom.lineWidth", value=0)]
    return panel.override_by_name(upper, filled).override_by_name(lower, edge)


def candles(title: str, why: str, *queries: Query) -> candlestick.Panel:
    """Candles, of queries that are called open, high, low and close."""
    panel = (
        candlestick.Panel()
        .mode(VizDisplayMode.CANDLES)
        .candle_style(CandleStyle.CANDLES)
        .fields(candlestick.CandlestickFieldMap().open("open").high("high").low("low").close("close"))
        .legend(_legend())
    )
    return _told(panel, title, why, queries)


def choice(name: str, label: str, query: str) -> boards.QueryVariable:
    """A variable that lists the values of a label."""
    return (
        boards.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(False)
        .include_all(False)
    )


def board(
    uid: str, title: str, rows: Sequence[Row], variables: Sequence[boards.QueryVariable] = ()
) -> boards.Dashboard:
    """A dashboard of rows, numbered and placed from top to bottom."""
    made = (
        boards.Dashboard(f"stream-lstm: {title}")
        .uid(f"stream-lstm-{uid}")
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .refresh("10s")
        .time("now-30m", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(boards.DashboardLink("stream-lstm").type(DashboardLinkType.DASHBOARDS).tags([TAG]))
    )
    for variable in variables:
        made = made.with_variable(variable)
    numbers, y = count(1), 0
    for height, places in rows:
        x = 0
        for panel, width in places:
            made = made.with_panel(panel.id(next(numbers)).grid_pos(GridPos(h=height, w=width, x=x, y=y)))
            x += width
        y += height
    return made


_DASHED: Final = [
    DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [6, 6]}),
    DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "text"}),
]


def _colour(name: str) -> list[DynamicConfigValue]:
    return [DynamicConfigValue(id_val="color", value={"mode": FieldColorModeId.FIXED, "fixedColor": name})]


def _legend() -> common.VizLegendOptions:
    options = common.VizLegendOptions().show_legend(True)
    return options.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)


def _thresholds(steps: Steps) -> boards.ThresholdsConfig:
    told = [Threshold(value=None if at == 0 else from_, color=name) for at, (from_, name) in enumerate(steps)]
    return boards.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(told)


def _told(panel: P, title: str, why: str, queries: Iterable[Query]) -> P:
    """What all panels have: title, description, data source and queries."""
    panel = panel.title(title).description(why).datasource(SOURCE)
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter).range()
        panel = panel.with_target(asked)
    return panel
