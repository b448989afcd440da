"""Fits the network over triples and its calibration to a table of simulated triples. Needs torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from mistworks.conditional.estimator import ConditionalEstimator
from mistworks.conditional.network import ConditionalConfig, ConditionalNetwork, shapes, swapped
from mistworks.conditional.table import TripleTable
from mistworks.conditional.triples import GROUPS
from mistworks.config import FrozenConfig
from mistworks.estimation.calibration import Calibration, pit_z
from mistworks.estimation.widening import Scores, Widening
from mistworks.networks.residual import Members, square_root_scale
from mistworks.networks.scale import knot_mass
from mistworks.networks.summary import leaky, scaling_of, whitening_of
from mistworks.randomness import stream


class FittingConfig(FrozenConfig):
    """How the network over triples is fitted.

    Attributes:
        network: its sizes.
        seed: of first weights, of the order of triples and of their folds.
        epochs: how often each triple is seen.
        batch_size: triples of a step.
        learning_rate: at its highest.
        weight_decay: of AdamW.
        folds: parts of the triples, each predicted by networks fitted on the others.
        fold_members: members of each of those networks.
    """

    network: ConditionalConfig = ConditionalConfig()
    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] = 60
    batch_size: Annotated[int, Field(ge=1)] = 512
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    folds: Annotated[int, Field(ge=2)] = 3
    fold_members: Annotated[int, Field(ge=1)] = 3


@dataclass(frozen=True, eq=False)
class Fitted:
    """What fitting gives.

    Attributes:
        estimator: fitted on all groups of families.
        witnesses: by group of families, an estimator neither whose network nor whose calibration has seen it.
            Tests use them, estimates do not.
    """

    estimator: ConditionalEstimator
    witnesses: Mapping[str, ConditionalEstimator]


@dataclass(frozen=True, eq=False)
class _Predicted:
    """What networks say of triples that they were not fitted on."""

    table: TripleTable
    quantiles: NDArray[np.float64]
    strangeness: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.bool_]) -> "_Predicted":
        return _Predicted(self.table.rows(chosen), self.quantiles[chosen], self.strangeness[chosen])

    def calibration(self, rng: np.random.Generator) -> Calibration:
        table = self.table
        return Calibration.fit(self.quantiles, table.cmi, table.n, table.d, rng)

    def scores(self, calibration: Calibration, rng: np.random.Generator) -> Scores:
        table = self.table
        calibrated = calibration.apply(self.quantiles, table.n, table.d)
        return Scores(pit_z(calibrated, table.cmi, rng), np.log(self.strangeness), table.family)


def fit(table: TripleTable, estimator_sha256: str, config: FittingConfig | None = None) -> Fitted:
    """Fit the network, witnesses for each group of families, the calibration and its widening.

    Members minimise the pinball loss at the knots of their quantile functions on the scale t of
    `mistworks.networks.scale`. The calibration is fitted on what networks say of a fold of the triples that
    were fitted on the others (Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial
    Intelligence 2015); the network itself is fitted on all. Witnesses, one for each group of `GROUPS`, do not
    see it; how wrong they are on it says how much wider intervals must be where a triple is strange.

    Args:
        table: what the network reads of triples and their truth.
        estimator_sha256: of the estimator whose estimates are in the table.
        config: how to fit; None for the defaults.
    """
    config = config or FittingConfig()
    rng = stream(config.seed, "conditional", "fitting", 0)
    fold = rng.permutation(len(table)) % config.folds
    groups = groups_of(table)
    predicted = []
    for number in range(config.folds):
        known = fold != number
        networks = _networks(
            table.rows(known), config.fold_members, tuple(GROUPS) if number == 0 else (), config, rng
        )
        if number == 0:
            witnesses, first, first_groups = networks[1], table.rows(~known), groups[~known]
        predicted.append(_predict(networks[0], table.rows(~known)))
    together = _joined(predicted)
    calibration = together.calibration(rng)
    familiar = together.scores(calibration, rng)
    unseen, calibrations = _unseen(witnesses, first, first_groups, familiar, rng)
    network, _ = _networks(table, config.network.members, (), config, rng)

    def calibrated(
        of: ConditionalNetwork, plain: Calibration, others: Sequence[Scores]
    ) -> ConditionalEstimator:
        widened = plain.model_copy(update={"widening": Widening.fit(familiar, others)})
        return ConditionalEstimator(of, widened, estimator_sha256)

    return Fitted(
        calibrated(network, calibration, list(unseen.values())),
        MappingProxyType(
            {
                group: calibrated(
                    witness,
                    calibrations[group],
                    [scores for name, scores in unseen.items() if name != group],
                )
                for group, witness in witnesses.items()
            }
        ),
    )


def _unseen(
    witnesses: Mapping[str, ConditionalNetwork],
    table: TripleTable,
    groups: NDArray[np.str_],
    familiar: Scores,
    rng: np.random.Generator,
) -> tuple[dict[str, Scores], dict[str, Calibration]]:
    """By group, scores of the network that has not seen it, and that network's calibration on the rest.

    Its strangeness is shifted so that triples it has seen are as strange to it as to the estimator.
    """
    unseen, calibrations = {}, {}
    middle = np.median(familiar.log_strangeness)
    for group, witness in witnesses.items():
        predicted = _predict(witness, table)
        seen, other = predicted.rows(groups != group), predicted.rows(groups == group)
        calibrations[group] = seen.calibration(rng)
        scores = other.scores(calibrations[group], rng)
        shift = middle - np.median(np.log(seen.strangeness))
        unseen[group] = Scores(scores.z, scores.log_strangeness + shift, scores.family)
    return unseen, calibrations


def _predict(network: ConditionalNetwork, table: TripleTable) -> _Predicted:
    return _Predicted(table, *network.predict(table.features, table.candidates))


def _joined(parts: Sequence[_Predicted]) -> _Predicted:
    return _Predicted(
        TripleTable.joined([part.table for part in parts]),
        np.concatenate([part.quantiles for part in parts]),
        np.concatenate([part.strangeness for part in parts]),
    )


def groups_of(table: TripleTable) -> NDArray[np.str_]:
    """The group of the family of each triple, shape (N,)."""
    group = {family: name for name, families in GROUPS.items() for family in families}
    return np.array([group[family] for family in table.family.tolist()], dtype=np.str_)


@dataclass(frozen=True, eq=False)
class _Scaling:
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]

    def inputs(self, table: TripleTable) -> NDArray[np.float32]:
        return np.asarray(np.arcsinh((table.features - self.centre) / self.scale))


def _scaling(table: TripleTable) -> _Scaling:
    both = np.concatenate([table.features, swapped(table.features, table.candidates)[0]])
    centre, scale = scaling_of(torch.from_numpy(both))
    return _Scaling(centre.numpy(), scale.numpy())


def _networks(
    table: TripleTable, count: int, left_out: tuple[str, ...], config: FittingConfig, rng: np.random.Generator
) -> tuple[ConditionalNetwork, dict[str, ConditionalNetwork]]:
    """A network of some members, and by group of families one of a single member that has not seen it."""
    groups, scaling = groups_of(table), _scaling(table)
    seen = torch.ones(count + len(left_out), len(table))
    for number, group in enumerate(left_out, count):
        seen[number] = torch.from_numpy(groups != group).float()
    members = _train(table, seen, scaling, config, rng)
    network = _network(members, slice(0, count), table, scaling, config.network)
    witnesses = {
        group: _network(
            members, slice(number, number + 1), table.rows(groups != group), scaling, config.network
        )
        for number, group in enumerate(left_out, count)
    }
    return network, witnesses


def _train(
    table: TripleTable, seen: Tensor, scaling: _Scaling, config: FittingConfig, rng: np.random.Generator
) -> Members:
    """Members that see the triples whose weights are 1, shape (members, N), either way round."""
    features, candidates = swapped(table.features, table.candidates)
    other = TripleTable(features, candidates, table.cmi, table.n, table.d, table.family)
    inputs = torch.from_numpy(np.stack([scaling.inputs(table), scaling.inputs(other)]))
    estimates = torch.from_numpy(np.stack([table.candidates, candidates]))
    target = torch.from_numpy(table.cmi).float()
    # Torch's own generator is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        members = Members(len(seen), config.network)
    optimiser = torch.optim.AdamW(
        members.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-len(table) // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=steps, pct_start=0.1
    )
    for _ in range(config.epochs):
        order = torch.from_numpy(rng.permutation(len(table)))
        sides = torch.from_numpy(rng.integers(2, size=len(table)))
        for rows in torch.split(order, config.batch_size):
            side = sides[rows]
            knots = members(inputs[side, rows], estimates[side, rows])
            loss = (_loss(knots, target[rows]) * seen[:, rows]).mean(dim=1).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(members.parameters(), _MOST_GRADIENT)
            optimiser.step()
            schedule.step()
    return members


_MOST_GRADIENT = 5.0
_MASS = torch.from_numpy(knot_mass()).float()
_TAU = _MASS.cumsum(0) - _MASS / 2


def _loss(knots: Tensor, target: Tensor) -> Tensor:
    """Pinball loss of each member on each triple on the scale t, shape (members, B)."""
    error = square_root_scale(target)[:, None] - leaky(knots)
    return torch.maximum(_TAU * error, (_TAU - 1) * error) @ _MASS


def _network(
    members: Members, chosen: slice, known: TripleTable, scaling: _Scaling, config: ConditionalConfig
) -> ConditionalNetwork:
    """Some of the members as a network, to which the known triples are familiar."""
    config = config.model_copy(update={"members": chosen.stop - chosen.start})
    origin, whitening = whitening_of(torch.from_numpy(scaling.inputs(known)).double())
    fixed = {
        "centre": scaling.centre,
        "scale": scaling.scale,
        "origin": origin.float().numpy(),
        "whitening": whitening.float().numpy(),
    }
    state = {name: values.detach().numpy() for name, values in members.state_dict().items()}
    tensors = {
        name: np.ascontiguousarray(fixed[name] if name in fixed else state[name][chosen], dtype=np.float32)
        for name in shapes(config)
    }
    return ConditionalNetwork(config, tensors)


__all__ = ["Fitted", "FittingConfig", "fit", "groups_of"]
