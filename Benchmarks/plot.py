# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Line charts as SVG, for the docs: one file, no script, readable on light and dark."""

import dataclasses
import html
import math
import pathlib

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 68, 40, 44, 76
COLOURS = ("#2f6fde", "#d9541e", "#2a9d5c", "#8a4fc2")


@dataclasses.dataclass
class Axis:
    """What an axis shows; `ticks` are named places where they are not numbers from nought on."""

    title: str
    ticks: "list[tuple[float, str]] | None" = None

    def marks(self, end: float) -> "list[tuple[float, str]]":
        """Where the axis has marks, and what they say; the last is `end` or beyond it."""
        if self.ticks:
            return self.ticks
        step = 10 ** math.floor(math.log10(max(end, 1e-9) / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if end / (step * factor) <= 5)
        return [(number * step, f"{number * step:,.10g}") for number in range(math.ceil(end / step) + 1)]


def text(x: float, y: float, words: str, anchor: str = "middle", more: str = "") -> str:
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(words)}</text>'


def chart(
    path: pathlib.Path, title: str, x: Axis, y: Axis, lines: "dict[str, list[tuple[float, float]]]"
) -> None:
    """Writes a chart of these lines, each with its name and its points."""
    points = [point for line in lines.values() for point in line]
    across, up = x.marks(max(point[0] for point in points)), y.marks(max(point[1] for point in points))
    (low, high), top = (across[0][0], across[-1][0]), up[-1][0]
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(point: "tuple[float, float]") -> "tuple[float, float]":
        return LEFT + (point[0] - low) / (high - low) * wide, TOP + tall - point[1] / top * tall

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(WIDTH / 2, 22, title, more=' font-size="15" font-weight="bold"'),
    ]
    for value, words in up:
        height = place((low, value))[1]
        parts.append(f'<line x1="{LEFT}" y1="{height:.1f}" x2="{WIDTH - RIGHT}" y2="{height:.1f}" stroke="#dddddd"/>')
        parts.append(text(LEFT - 8, height + 4, words, "end"))
    for value, words in across:
        parts.append(text(place((value, 0))[0], TOP + tall + 18, words))
    parts.append(text(LEFT + wide / 2, TOP + tall + 38, x.title))
    turn = f' transform="rotate(-90 16 {TOP + tall / 2:.0f})"'
    parts.append(text(16, TOP + tall / 2, y.title, more=turn))
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [place(point) for point in line]
        path_text = " ".join(f"{left:.1f},{height:.1f}" for left, height in places)
        parts.append(f'<polyline points="{path_text}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{left:.1f}" cy="{height:.1f}" r="3" fill="{colour}"/>' for left, height in places]
        left = LEFT + number * wide / len(lines)
        parts.append(f'<rect x="{left:.1f}" y="{HEIGHT - 22}" width="12" height="12" fill="{colour}"/>')
        parts.append(text(left + 18, HEIGHT - 12, name, "start"))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
