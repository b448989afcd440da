"""Strong dependence: 1 to 10 nats in 1–3 + 1–3 dimensions, under four margins.

Under unknown margins only the order of the values tells, and strong dependence leaves the order of a small
sample as it is. Neighbours in X change places in Y where the noise exceeds their distance: about
n² exp(−I/k) / 3.5 times in a pair that shares I/k nats. With less than 100 such exchanges the nats cannot be
had to a tenth; these datasets are the group ``"out of reach"``, where intervals must hold all the same.
``"turned"`` are normals whose columns of Y are mixed: a linear map of a side is no monotone map of columns.
"""

import math
from collections.abc import Iterator, Sequence

from mistworks.evaluation.distributions.strong import MARGINS, AdditiveUniform, StrongNormal
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "strong"
VERSION = "1"
SIZES = (100, 500, 2_000, 10_000)
LEVELS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
DIMENSIONS = ((1, 1), (2, 2), (3, 3), (1, 3), (3, 2))

OUT_OF_REACH, TURNED = "out of reach", "turned"


def strong(sizes: Sequence[int] = SIZES) -> GridSuite:
    """The suite at each of the given numbers of points."""
    return GridSuite(NAME, VERSION, tuple(_entries()), sizes)


def _entries() -> Iterator[Entry]:
    """Every level in every dimension, of both kinds, each under two of the four margins in turn."""
    margins = tuple(MARGINS)
    number = 0
    for dx, dy in DIMENSIONS:
        for nats in LEVELS:
            reach = least_size(nats / min(dx, dy))
            for kind, joint in (("normal", StrongNormal), ("additive", AdditiveUniform)):
                for margin in (margins[number % 4], margins[(number + 2) % 4]):
                    name, law = f"{kind}-{margin}-{dx}x{dy}-{nats:g}", joint(dx, dy, nats, margin)
                    yield Entry(name, kind, law, min_n=reach)
                    yield Entry(name, OUT_OF_REACH, law, max_n=reach - 1)
                number += 1
            number += 1
            if dx == dy > 1:
                yield Entry(f"turned-{dx}x{dy}-{nats:g}", TURNED, StrongNormal(dx, dy, nats, "normal", True))


def least_size(nats: float) -> int:
    """The n at which pairs of so many nats change places a hundred times."""
    return math.ceil(math.sqrt(350 * math.exp(nats)))
