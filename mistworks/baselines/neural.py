"""Variational bounds on mutual information, each with a critic fitted to the dataset at hand."""

import hashlib
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import checked, normal_scores
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate

NeuralBound = Literal["mine", "infonce", "nwj", "smile", "donsker-varadhan", "infonce-cosine"]

_LEAST_POINTS = 20


class Neural(Baseline):
    """A variational bound whose critic, a perceptron with two hidden layers, scores pairs of x and y.

    Half of the points train the critic with Adam. The bound is read on the other half every few steps, and
    training ends when it no longer improves. The held-out half is split in two: the step that is best on one
    part gives the bound on the other, and the estimate is the mean of both, so that choosing the step adds no
    upward bias. Negative estimates are reported as they are. The critic reads normal scores, which leave the
    MI unchanged; without them a single outlier could decide the bound.

    Attributes:
        bound: name of the bound; ``"infonce-cosine"`` is InfoNCE with a critic that compares x and y by the
            cosine of their embeddings, as contrastive learning does.
        hidden: width of the hidden layers.
        learning_rate: learning rate of Adam.
        batch_size: training points per step; each x is paired with each y.
        steps: maximum number of steps.
        reading_interval: steps between two readings of the bound on the held-out points.
        patience: number of readings without improvement after which training ends.
        budget_seconds: time after which the fit is stopped and counts as failed, so that no estimate depends
            on the speed of the machine.
        seed: seed of the split, the initial weights and the batches.
    """

    bound: NeuralBound
    hidden: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    batch_size: Annotated[int, Field(ge=2)] = 64
    steps: Annotated[int, Field(ge=1)] = 2000
    reading_interval: Annotated[int, Field(ge=1)] = 50
    patience: Annotated[int, Field(ge=1)] = 5
    budget_seconds: Annotated[float, Field(gt=0)] = 120.0
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    @override
    def name(self) -> str:
        """The name of the bound."""
        return self.bound

    @property
    @override
    def version(self) -> str:
        """Names the digest of the fields."""
        return f"1-{hashlib.sha256(self.canonical_json().encode()).hexdigest()[:8]}"

    @property
    @override
    def slow(self) -> bool:
        """Always True: an estimate takes seconds."""
        return True

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """The held-out bound in nats.

        Raises:
            MistworksError: there are fewer than 20 points, a column is constant, the bound overflows, or the
                fit takes longer than its budget.
        """
        x_scores, y_scores = (normal_scores(block).astype(np.float32) for block in checked(x, y))
        if len(x) < _LEAST_POINTS:
            raise MistworksError(
                f"Expected at least {_LEAST_POINTS} points to train on and to hold out, got {len(x)}. Use "
                "another estimator."
            )
        # torch is not needed to name a baseline.
        from mistworks.baselines.critics import held_out_bound

        return Estimate(held_out_bound(x_scores, y_scores, **self.model_dump()))


__all__ = ["Neural", "NeuralBound"]
