"""Independent pairs with difficult margins, at many n, dx and dy: the truth is 0.

Columns may be dependent within X and within Y, but not between them. Integers, classes and pixels are
separate groups, since false alarms are most common there.
"""

from collections.abc import Iterator, Sequence

from mistworks.evaluation.distributions.independent import MARGINS, IndependentBlocks
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "null"
VERSION = "2"
SIZES = (10, 30, 100, 300, 500, 1_000)
REPLICATES = 2


def null(sizes: Sequence[int] = SIZES) -> GridSuite:
    """Build the suite at the given sample sizes."""
    return GridSuite(NAME, VERSION, tuple(_entries()), sizes, REPLICATES)


def _entries() -> Iterator[Entry]:
    for margin in MARGINS:
        yield _entry(margin, margin, 1, 1)
        yield _entry(margin, margin, 3, 3)
        yield _entry(margin, "normal", 2, 6)
    for dx, dy in ((1, 16), (8, 8), (16, 16), (2, 32), (32, 32)):
        yield _entry("normal", "normal", dx, dy)
    for margin in ("one-factor", "student", "lognormal"):
        yield _entry(margin, margin, 16, 16)
    for x_margin, y_margin in (
        ("cauchy", "binary"),
        ("spikes", "cauchy"),
        ("pareto", "huge"),
        ("tiny", "huge"),
    ):
        yield _entry(x_margin, y_margin, 1, 1)
    yield from _integers()
    yield from _classes()
    yield from _pixels()


GROUPS = ("integers", "classes", "pixels")
"""Families with their own rates of false alarms; all others are one group."""


def _pair(family: str, x_margin: str, y_margin: str, dx: int, dy: int) -> Entry:
    """Independent blocks with these margins; columns of margins that end in "classes" hold class labels."""
    x_classes, y_classes = (
        tuple(range(size)) if margin.endswith("classes") else ()
        for margin, size in ((x_margin, dx), (y_margin, dy))
    )
    independent = IndependentBlocks(x_margin, y_margin, dx, dy)
    name = f"{x_margin}-{y_margin}-{dx}x{dy}"
    return Entry(name, family, independent, x_classes=x_classes, y_classes=y_classes)


def _integers() -> Iterator[Entry]:
    for x_margin, y_margin, dx, dy in (
        ("ages", "percentages", 1, 1),
        ("grades", "ages", 1, 1),
        ("percentages", "normal", 1, 1),
        ("thousands", "thousands", 1, 1),
        ("grades", "grades", 3, 3),
        ("ages", "percentages", 5, 2),
        ("percentages", "percentages", 12, 12),
        ("ages", "normal", 1, 8),
    ):
        yield _pair("integers", x_margin, y_margin, dx, dy)


def _classes() -> Iterator[Entry]:
    for x_margin, y_margin, dx, dy in (
        ("3-classes", "3-classes", 1, 1),
        ("10-classes", "10-classes", 1, 1),
        ("40-classes", "10-classes", 1, 1),
        ("200-classes", "3-classes", 1, 1),
        ("10-classes", "normal", 1, 1),
        ("3-classes", "normal", 1, 12),
        ("40-classes", "lognormal", 1, 2),
        ("10-classes", "3-classes", 3, 2),
    ):
        yield _pair("classes", x_margin, y_margin, dx, dy)


def _pixels() -> Iterator[Entry]:
    for x_margin, y_margin, dx, dy in (
        ("strokes", "strokes", 64, 64),
        ("strokes", "strokes", 36, 16),
        ("strokes", "normal", 49, 2),
        ("blobs", "blobs", 64, 64),
        ("blobs", "strokes", 25, 49),
        ("blobs", "normal", 36, 1),
        ("blobs", "percentages", 16, 4),
        ("strokes", "grades", 25, 1),
    ):
        yield _pair("pixels", x_margin, y_margin, dx, dy)


def _entry(x_margin: str, y_margin: str, dx: int, dy: int) -> Entry:
    margins = x_margin if x_margin == y_margin else f"{x_margin}-{y_margin}"
    return Entry(f"{margins}-{dx}x{dy}", margins, IndependentBlocks(x_margin, y_margin, dx, dy))


__all__ = ["GROUPS", "NAME", "REPLICATES", "SIZES", "VERSION", "null"]
