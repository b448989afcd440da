"""Strong dependence: 1 to 10 nats in 1–3 + 1–3 dimensions, with four margins.

With unknown margins only the order of values is informative, and strong dependence hardly changes the order
of a small sample. Neighbours in X exchange their order in Y if the noise exceeds their distance: about n²
exp(−I/k) / 3.5 times in a pair with I/k nats. With less than 100 exchanges the information cannot be
estimated to 10 %. These datasets form the group ``"out of reach"``, where intervals must still hold. In the
group ``"turned"`` the columns of Y are mixed: a linear map of a side is not a monotone map of its columns.
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
    """Build the suite at the given sample sizes."""
    return GridSuite(NAME, VERSION, tuple(_entries()), sizes)


def _entries() -> Iterator[Entry]:
    """Every level in every dimension, for both kinds, with two of the four margins in turn."""
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
    """The n at which pairs with this information exchange their order a hundred times."""
    return math.ceil(math.sqrt(350 * math.exp(nats)))


__all__ = ["DIMENSIONS", "LEVELS", "NAME", "SIZES", "VERSION", "least_size", "strong"]
