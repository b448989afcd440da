"""The meta-distribution of triples: samples of X, Y and Z of many kinds with known I(X;Y|Z).

Triple i of a split is a function of (root seed, split, i) alone.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from mistworks.conditional.confounded import (
    draw_confounded,
    draw_curved_chain,
    draw_curved_fork,
    draw_sign_collider,
    draw_wrapped_collider,
)
from mistworks.conditional.discrete import draw_discrete, draw_parity
from mistworks.conditional.law import Array, Law, Triple
from mistworks.conditional.linear import (
    Sizes,
    draw_chain,
    draw_collider,
    draw_fork,
    draw_gaussian,
    draw_student,
)
from mistworks.conditional.mixed import draw_outcomes, draw_readings, draw_switched, draw_turned_classes
from mistworks.conditional.modulated import draw_modulated, draw_regimes, draw_shares
from mistworks.distributions.block_maps import BlockMap, BlockMaps
from mistworks.distributions.priors import log_uniform
from mistworks.errors import MistworksError
from mistworks.randomness import stream

MOST_POINTS = 20_000
_MOST_VALUES = 2**18
_MAPS = BlockMaps(probability=1.0, flow=0.0)

Draw = Callable[[Sizes, np.random.Generator], Law]

FAMILIES: Mapping[str, Sequence[tuple[Draw, float]]] = MappingProxyType(
    {
        "gaussian": ((draw_gaussian, 1.0),),
        "student": ((draw_student, 1.0),),
        "chain": ((draw_chain, 0.4), (draw_curved_chain, 0.6)),
        "fork": ((draw_fork, 0.4), (draw_curved_fork, 0.6)),
        "collider": ((draw_collider, 0.7), (draw_wrapped_collider, 0.15), (draw_sign_collider, 0.15)),
        "confounded": ((draw_confounded, 1.0),),
        "discrete": ((draw_discrete, 0.85), (draw_parity, 0.15)),
        "mixed": (
            (draw_switched, 0.4),
            (draw_turned_classes, 0.2),
            (draw_outcomes, 0.2),
            (draw_readings, 0.2),
        ),
    }
)
"""By name of a family, what draws its laws, and how often each."""

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "gaussian": 3.0,
        "student": 2.0,
        "chain": 1.5,
        "fork": 1.5,
        "collider": 2.0,
        "confounded": 4.0,
        "discrete": 3.0,
        "mixed": 3.5,
        "blocks": 1.5,
    }
)
"""How often each family is drawn; that of ``blocks`` joins two laws of other families."""

FURTHER: Mapping[str, Sequence[tuple[Draw, float]]] = MappingProxyType(
    {
        "modulated": ((draw_modulated, 0.75), (draw_regimes, 0.25)),
        "shares": ((draw_shares, 1.0),),
    }
)
"""Families that are drawn only where they are asked for by name."""

FURTHER_WEIGHTS: Mapping[str, float] = MappingProxyType({"modulated": 6.0, "shares": 1.0})
"""How often each of them is drawn."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "elliptical": ("gaussian", "student"),
        "causal": ("chain", "fork", "collider"),
        "confounded": ("confounded", "blocks"),
        "discrete": ("discrete",),
        "mixed": ("mixed",),
        "modulated": ("modulated", "shares"),
    }
)
"""Families that are alike: fitting leaves out one group at a time, as a user's family is left out."""


def draw_triple(
    root_seed: int,
    split: str,
    index: int,
    *,
    families: Sequence[str] | None = None,
    n: int | None = None,
) -> Triple:
    """Draw triple ``index`` of a split.

    Args:
        root_seed: any integer ≥ 0.
        split: name of the split.
        index: position in it, ≥ 0.
        families: names of families to draw from; None for all.
        n: number of points; None draws it, from 50 to 20,000, most of them near 1,000.

    Raises:
        MistworksError: there is no family of that name.
    """
    parameters = stream(root_seed, split, "parameters", index)
    law = draw_law(parameters, families)
    points = _draw_points(parameters) if n is None else n
    triple = law.sample(points, stream(root_seed, split, "sample", index))
    most = max(50, _MOST_VALUES // sum(side.shape[1] for side in triple.sides))
    if points <= most or n is not None:
        return triple
    rows = np.arange(most)
    x, y, z = (side.rows(rows) for side in triple.sides)
    return Triple(x, y, z, triple.cmi, triple.family)


def draw_law(rng: np.random.Generator, families: Sequence[str] | None = None) -> Law:
    """Draw a law of a random family, at times with blocks turned, joined with noise, or columns repeated.

    Raises:
        MistworksError: there is no family of that name.
    """
    every = {**WEIGHTS, **FURTHER_WEIGHTS}
    names = list(WEIGHTS if families is None else families)
    unknown = [name for name in names if name not in every]
    if unknown or not names:
        raise MistworksError(
            f"Expected families among {', '.join(every)}, got {', '.join(unknown) or 'none'}. Choose others."
        )
    weights = np.array([every[name] for name in names])
    family = str(rng.choice(names, p=weights / weights.sum()))
    if family == "blocks":
        return _draw_blocks(rng)
    sizes = draw_sizes(rng)
    law = _draw_family(family, sizes, rng)
    if not any(law.nominal) and rng.random() < 0.3:
        law = _turned(law, sizes, rng)
    return law if rng.random() < 0.85 else _padded(law, rng)


def draw_sizes(rng: np.random.Generator) -> Sizes:
    """Draw dx and dy, mostly 1, up to 4 and now and then 8; and dz from 1 to 16."""
    dx, dy = (
        1
        if rng.random() < 0.6
        else int(rng.integers(2, 5))
        if rng.random() < 0.9
        else int(rng.integers(5, 9))
        for _ in range(2)
    )
    return Sizes(dx, dy, int(log_uniform(1.0, 17.0, rng)))


def _draw_family(family: str, sizes: Sizes, rng: np.random.Generator) -> Law:
    draws = FURTHER[family] if family in FURTHER else FAMILIES[family]
    weights = np.array([weight for _, weight in draws])
    law = draws[int(rng.choice(len(draws), p=weights / weights.sum()))][0](sizes, rng)
    return law.named(family)


def _draw_points(rng: np.random.Generator) -> int:
    kind = rng.random()
    if kind < 0.40:
        return int(log_uniform(50.0, 4_000.0, rng))
    if kind < 0.82:
        return int(log_uniform(700.0, 1_400.0, rng))
    if kind < 0.985:
        return int(log_uniform(200.0, 2_000.0, rng))
    return int(log_uniform(2_000.0, MOST_POINTS, rng))


def _draw_blocks(rng: np.random.Generator) -> Law:
    """Two independent laws side by side: I(X;Y|Z) is their sum. Blocks of numbers may be turned."""
    names = [name for name in FAMILIES if name != "discrete"]
    parts = []
    for _ in range(2):
        dx, dy = (int(rng.integers(1, 3)) for _ in range(2))
        sizes = Sizes(dx, dy, int(log_uniform(1.0, 9.0, rng)))
        parts.append((_draw_family(str(rng.choice(names)), sizes, rng), sizes))
    (first, left), (second, right) = parts
    offsets = left.dx, left.dy, left.dz
    nominal = tuple(
        (*a, *(offset + position for position in b))
        for a, b, offset in zip(first.nominal, second.nominal, offsets, strict=True)
    )

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        sides = zip(first.sampler(n, rng), second.sampler(n, rng), strict=True)
        x, y, z = (np.hstack(pair) for pair in sides)
        return x, y, z

    law = Law("blocks", first.cmi + second.cmi, sample, nominal)  # type: ignore[arg-type]
    if any(nominal) or rng.random() < 0.4:
        return law
    return _turned(law, Sizes(left.dx + right.dx, left.dy + right.dy, left.dz + right.dz), rng)


def _turned(law: Law, sizes: Sizes, rng: np.random.Generator) -> Law:
    """The same law with an invertible map of each block, one at least; I(X;Y|Z) does not change."""
    chosen = rng.random(3) < 0.4
    chosen[int(rng.integers(3))] = True
    maps: list[BlockMap | None] = [
        _MAPS.draw(d, rng) if take else None
        for d, take in zip((sizes.dx, sizes.dy, sizes.dz), chosen, strict=True)
    ]

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, z = (
            values if change is None else change(values.astype(np.float32)).astype(np.float64)
            for values, change in zip(law.sampler(n, rng), maps, strict=True)
        )
        return x, y, z

    return Law(law.family, law.cmi, sample, law.nominal)


def _padded(law: Law, rng: np.random.Generator) -> Law:
    """The same law with columns of noise and near-copies of columns added to Z; I(X;Y|Z) does not change.

    A copy with noise of its own is independent of X and Y given the column that it copies.
    """
    noise, copies = int(rng.integers(0, 4)), int(rng.integers(0, 3))
    scale = log_uniform(0.01, 1.0, rng)

    def sample(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        x, y, z = law.sampler(n, rng)
        chosen = z[:, rng.integers(0, z.shape[1], size=copies)]
        spread = np.maximum(chosen.std(axis=0), 1e-9)
        added = chosen + scale * spread * rng.standard_normal(chosen.shape)
        return x, y, np.hstack([z, added, rng.standard_normal((n, noise))])

    return Law(law.family, law.cmi, sample, law.nominal)


__all__ = [
    "FAMILIES",
    "FURTHER",
    "FURTHER_WEIGHTS",
    "GROUPS",
    "MOST_POINTS",
    "WEIGHTS",
    "draw_law",
    "draw_sizes",
    "draw_triple",
]
