"""Priors over the scalar parameters of families."""

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from mistworks.config import FrozenConfig


class Uniform(FrozenConfig):
    """The continuous uniform distribution U(low, high)."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, and low = {self.low}, high = {self.high} came")
        return self

    def draw(self, rng: np.random.Generator) -> float:
        """One value in [low, high)."""
        return self.low + (self.high - self.low) * rng.random()


class UniformInteger(FrozenConfig):
    """The uniform distribution on the integers low, …, high, both included."""

    low: Annotated[int, Field(ge=1)]
    high: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, and low = {self.low}, high = {self.high} came")
        return self

    def draw(self, rng: np.random.Generator) -> int:
        """One integer in {low, …, high}."""
        return int(rng.integers(self.low, self.high, endpoint=True))


def within(prior: Uniform, low: float, high: float, name: str) -> Uniform:
    """Refuse a prior that leaves the range in which a parameter is defined.

    Raises:
        ValueError: some of the prior's support lies outside [low, high].
    """
    if prior.low < low or prior.high > high:
        raise ValueError(
            f"{name} must stay within [{low:g}, {high:g}], and U({prior.low:g}, {prior.high:g}) came; "
            "narrow it"
        )
    return prior
