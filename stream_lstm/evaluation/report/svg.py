"""One small plot as inline SVG: scales, axes, marks. Colours are classes of `style`, never the only sign."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 320
_GAP: Final = 8
_SIDE: Final = 4.0
_SHAPES: Final = {
    "circle": "M{r},0A{r},{r} 0 1 1 -{r},0A{r},{r} 0 1 1 {r},0Z",
    "square": "M-{r},-{r}H{r}V{r}H-{r}Z",
    "diamond": "M0,-{r}L{r},0L0,{r}L-{r},0Z",
    "up": "M0,-{r}L{r},{r}H-{r}Z",
    "down": "M0,{r}L{r},-{r}H-{r}Z",
    "cross": "M-{r},-{r}L{r},{r}M-{r},{r}L{r},-{r}",
}
SHAPES: Final = tuple(_SHAPES)
"""Of marks: what tells them apart without colour."""


class Span(NamedTuple):
    """From where to where an axis goes, in the unit of the data."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float], margin: float = 0.05) -> "Span":
        """All of them, and a little more on either side; not empty where they are all the same."""
        low, high = min(values := list(values)), max(values)
        more = margin * (high - low) or 0.01 * abs(high) or 1.0
        return cls(low - more, high + more)


def ticks(span: Span, most: int = 5) -> list[float]:
    """Round numbers inside a span, at most so many.

    >>> ticks(Span(-0.012, 0.051)), ticks(Span(0, 24), 4)
    ([0.0, 0.02, 0.04], [0.0, 10.0, 20.0])
    """
    size = 10.0 ** floor(log10((span.high - span.low) / most))
    for step in (size, 2 * size, 5 * size, 10 * size):
        first, last = ceil(span.low / step), floor(span.high / step)
        if last - first < most:
            break
    return [round(number * step, 12) for number in range(first, last + 1)]


class Plot:
    """A frame with two linear scales; marks are drawn in the order of the calls.

    `title` and `description` are for those who do not see it.
    """

    def __init__(
        self,
        title: str,
        description: str,
        x: Span,
        y: Span,
        *,
        height: float = 220,
        left: float = 42,
        bottom: float = 38,
    ) -> None:
        self._x, self._y = x, y
        self._left, self._right = left, WIDTH - _GAP - 4
        self._top, self._bottom = _GAP, height - bottom
        self._parts = [
            f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img"><title>{escape(title)}</title>',
            f"<desc>{escape(description)}</desc>" if description else "",
        ]

    def x(self, value: float) -> float:
        """Where that is on the picture, from the left; what is outside is put on the edge."""
        share = (value - self._x.low) / (self._x.high - self._x.low)
        return self._left + min(max(share, 0), 1) * (self._right - self._left)

    def y(self, value: float) -> float:
        """Where that is on the picture, from the top; what is outside is put on the edge."""
        share = (value - self._y.low) / (self._y.high - self._y.low)
        return self._bottom - min(max(share, 0), 1) * (self._bottom - self._top)

    def x_axis(self, at: Sequence[float], written: Callable[[float], str], label: str = "") -> None:
        """Lines, their numbers below, and what they are."""
        for value in at:
            x = self.x(value)
            self._parts.append(f'<path class="grid" d="M{x:.1f},{self._top}V{self._bottom}"/>')
            self._text(x, self._bottom + 14, written(value), "middle")
        if label:
            self._text((self._left + self._right) / 2, self._bottom + 31, label, "middle")

    def y_axis(self, at: Sequence[float], written: Callable[[float], str]) -> None:
        """Lines, and their numbers to the left."""
        for value in at:
            y = self.y(value)
            self._parts.append(f'<path class="grid" d="M{self._left},{y:.1f}H{self._right}"/>')
            self._text(self._left - 5, y + 4, written(value), "end")

    def label(self, y: float, text: str) -> None:
        """A name to the left, at a value of the y axis."""
        self._text(self._left - 5, self.y(y) + 4, text, "end")

    def line(self, xs: Iterable[float], ys: Iterable[float], kind: str, told: str = "") -> None:
        """Through all points; `told` is said when somebody points at it."""
        points = "L".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(xs, ys, strict=True))
        self._path(f"M{points}", kind, told)

    def box(self, x: Span, y: Span, kind: str, told: str = "") -> None:
        """A rectangle."""
        left, right = self.x(x.low), self.x(x.high)
        self._path(
            f"M{left:.1f},{self.y(y.low):.1f}V{self.y(y.high):.1f}H{right:.1f}V{self.y(y.low):.1f}Z",
            kind,
            told,
        )

    def band(self, xs: NDArray[np.float64], between: NDArray[np.float64], kind: str) -> None:
        """What is between two lines: (N, 2) at (N,)."""
        sides = np.stack([xs, between[:, 0]], axis=1), np.stack([xs, between[:, 1]], axis=1)[::-1]
        points = "L".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in np.concatenate(sides).tolist())
        self._path(f"M{points}Z", kind)

    def mark(self, shape: str, x: float, y: float, kind: str, told: str = "") -> None:
        """A sign at a point."""
        path = _shape(shape)
        place = f'transform="translate({self.x(x):.1f},{self.y(y):.1f})"'
        self._path(path, f"mark {kind}", told, place)

    def note(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """A few words at a point."""
        self._text(self.x(x), self.y(y) + 4, text, anchor)

    def svg(self) -> str:
        """The picture."""
        return "".join([*self._parts, "</svg>"])

    def _path(self, path: str, kind: str, told: str = "", more: str = "") -> None:
        inner = f"><title>{escape(told)}</title></path>" if told else "/>"
        self._parts.append(f'<path class="{kind}" {more} d="{path}"{inner}'.replace("  ", " "))

    def _text(self, x: float, y: float, text: str, anchor: str) -> None:
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')


def sign(shape: str, kind: str) -> str:
    """A mark alone, for a legend."""
    path = f'<path class="mark {kind}" d="{_shape(shape)}"/>'
    return f'<svg class="sign" viewBox="-6 -6 12 12" aria-hidden="true">{path}</svg>'


def _shape(shape: str) -> str:
    return _SHAPES[shape].format(r=f"{_SIDE:g}")
