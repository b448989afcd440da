"""Names of the statistics in order, without their code and so without torch."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

VERSION: Literal["3"] = "3"
"""Version of the statistics. It changes with any statistic, and tables of other versions are not used."""

GROUPS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "sizes": {"log": 10},
        "ties": {"means": 2, "greatest": 2},
        "discrete": {
            "states": 3,
            "sides": 6,
            "joint": 3,
            "mi": 4,
            "least": 2,
            "singletons": 3,
            "cap": 3,
            "freedom": 3,
        },
        "pairs": {"matched": 6, "ordered": 5, "kinds": 4},
        "gaussian": {
            "shrunk": 10,
            "oracle_shrinkage": 1,
            "unbiased": 1,
            "all": 5,
            "sides": 4,
            "effective": 2,
            "across": 4,
            "across_square": 1,
            "within": 8,
            "within_square": 2,
            "ridge_0.02": 9,
            "ridge_0.15": 9,
            "ridge_0.5": 9,
        },
        "sparse": {"pairs": 9, "ordered": 5, "mi": 3},
        "rotations": {"best": 1, "plain": 1, "gain": 1, "sides": 2, "equal": 3, "unequal": 3},
        "factors": {"mi": 3},
        "tails": {"average": 5, "profile": 5, "correlation": 1, "spread": 2, "across": 3, "means": 3},
        "polynomials": {
            "energy": 10,
            "best": 3,
            "matched": 2,
            "ridge_0.1": 8,
            "ridge_0.4": 8,
            "strongest": 5,
            "strongest_energy": 1,
        },
        "neighbours": {"ksg": 4, "rectangles": 1},
        "metric": {"ksg": 2, "alignment": 2, "regression": 16, "distance_correlation": 1},
        "local": {"corrected": 4, "spread": 1, "kendall": 3, "matched": 1, "displacement": 3, "canonical": 3},
        "planes": {"mi": 3, "sums": 2, "greatest": 3, "clear": 1},
        "classes": {"mi": 4, "entropy": 2, "flag": 2},
    }
)
"""Size of each statistic by group. `oracle.FUNCTIONS` has the functions in the same order."""


@lru_cache(maxsize=1)
def statistic_names() -> tuple[str, ...]:
    """Return the names in order, such as ``"gaussian.shrunk.0"``: group, statistic, position."""
    return tuple(
        f"{group}.{name}.{position}"
        for group, statistics in GROUPS.items()
        for name, count in statistics.items()
        for position in range(count)
    )


__all__ = ["GROUPS", "VERSION", "statistic_names"]
