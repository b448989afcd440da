"""The labelled family: pairs by label, with samplers that tell their label on both sides."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from mistworks.dataset import FloatArray
from mistworks.distributions.base import Array, JointDistribution
from mistworks.distributions.couplings import coupling_table
from mistworks.distributions.label_samplers import AnySampler, RecordedSampler
from mistworks.distributions.labels import Encoder, draw_shares, merged, noisy_copy
from mistworks.distributions.of_modality import ModalityFamily
from mistworks.distributions.priors import Probability
from mistworks.distributions.tables import draw_cells, draw_table, table_information
from mistworks.errors import MistworksError


@dataclass(frozen=True, eq=False)
class PairsByLabel(JointDistribution):
    """(L, L′) is drawn from a table p, then X by a sampler given L, and Y by another given L′.

    Given its label, a side is independent of the other side. If X determines L and Y determines L′, then
    I(X;Y) = I(L;L′) = Σ p log(p / (p_row p_column)), whatever the samplers do otherwise. If points of
    different labels may be equal, I(X;Y) is less.

    Attributes:
        table: p, shape (labels of X, labels of Y), with sum 1.
        x: draws X given labels.
        y: draws Y given labels.

    Raises:
        MistworksError: the table is not a matrix of probabilities with sum 1.
    """

    table: Array
    x: Encoder
    y: Encoder
    cumulative: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        table = self.table
        valid = table.ndim == 2 and table.size > 0 and bool((table >= 0).all())
        if not valid or abs(float(table.sum()) - 1.0) > 1e-9:
            raise MistworksError(
                f"Expected a matrix of probabilities with sum 1, got shape {table.shape} with sum "
                f"{float(table.sum())}. Normalise it."
            )
        object.__setattr__(self, "cumulative", np.cumsum(table))

    @property
    @override
    def dx(self) -> int:  # type: ignore[override]
        return self.x.size

    @property
    @override
    def dy(self) -> int:  # type: ignore[override]
        return self.y.size

    @property
    @override
    def mutual_information(self) -> float:
        return table_information(self.table)

    @override
    def sample(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        row, column = draw_cells(self.cumulative, self.table.shape, n, rng)
        return self.x(row, rng), self.y(column, rng)


class LabelledFamily(ModalityFamily):
    """Random tables of labels, and samplers that tell them.

    A table pairs a label with a noisy copy, a function of it, an independent label, follows a random pattern
    (`tables.draw_table`), or is a greedy coupling mixed with independence (`couplings.coupling_table`).

    Attributes:
        samplers: samplers of both sides, equally likely. Listing one twice doubles its weight. ``rows`` and
            ``flow`` need a modality.
        independent: probability that the labels are independent.
        most: maximum number of labels of a side.
    """

    family: Literal["labelled"] = "labelled"
    samplers: Annotated[tuple[AnySampler, ...], Field(min_length=1)] = (RecordedSampler(),)
    independent: Probability = 0.1
    most: Annotated[int, Field(ge=2, le=64)] = 24

    @property
    @override
    def needs_modality(self) -> bool:
        return any(not isinstance(sampler, RecordedSampler) for sampler in self.samplers)

    @override
    def draw(self, dx: int, dy: int, rng: np.random.Generator) -> PairsByLabel:
        self.require_dimensions(dx, dy)
        half = self.opened if self.needs_modality else None
        x, y = (self.samplers[int(rng.integers(len(self.samplers)))] for _ in range(2))
        table = self._table(min(self.most, x.most(half)), min(self.most, y.most(half)), rng)
        return PairsByLabel(
            table,
            x.draw(table.sum(axis=1), dx, half, rng),
            y.draw(table.sum(axis=0), dy, half, rng),
        )

    def _table(self, most_rows: int, most_columns: int, rng: np.random.Generator) -> Array:
        rows, columns = (int(rng.integers(2, most, endpoint=True)) for most in (most_rows, most_columns))
        if rng.random() < self.independent:
            return np.outer(draw_shares(rows, rng), draw_shares(columns, rng))
        kind = int(rng.integers(4))
        if kind == 0:
            return noisy_copy(draw_shares(min(rows, columns), rng), rng)
        if kind == 1:
            table = merged(draw_shares(max(rows, columns), rng), min(rows, columns), rng)
            return np.ascontiguousarray(table if rows >= columns else table.T)
        if kind == 2:
            return draw_table(rows, columns, rng)
        return coupling_table(draw_shares(rows, rng), draw_shares(columns, rng), float(rng.random()))


__all__ = ["LabelledFamily", "PairsByLabel"]
