"""Fits the network over triples and its calibration to a table of simulated triples. Needs torch."""

from collections.abc import Mapping
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
from mistworks.networks.residual import Members, from_scale, square_root_scale
from mistworks.networks.scale import knot_mass
from mistworks.networks.summary import LEAK, leaky, scaling_of, whitening_of
from mistworks.randomness import stream


class FittingConfig(FrozenConfig):
    """How the network over triples is fitted.

    Attributes:
        network: its sizes.
        seed: of first weights and the order of triples.
        epochs: how often each triple is seen.
        batch_size: triples of a step.
        learning_rate: at its highest.
        weight_decay: of AdamW.
        held_back: share of the triples that calibrate.
    """

    network: ConditionalConfig = ConditionalConfig()
    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] = 40
    batch_size: Annotated[int, Field(ge=1)] = 256
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.25


@dataclass(frozen=True, eq=False)
class Fitted:
    """What fitting gives.

    Attributes:
        estimator: fitted on all groups of families.
        witnesses: by group of families, an estimator whose network has not seen it, nor has its calibration;
            its intervals are as wide as those of the estimator. Tests use them, estimates do not.
    """

    estimator: ConditionalEstimator
    witnesses: Mapping[str, ConditionalEstimator]


def fit(table: TripleTable, estimator_sha256: str, config: FittingConfig | None = None) -> Fitted:
    """Fit the network, witnesses for each group of families, the calibration and its widening.

    Members minimise the pinball loss at the knots of their quantile functions, half in nats and half on the
    scale t of `mistworks.networks.scale`. As many further members, one for each group of `GROUPS`, do not
    see it; how wrong they are on it says how much wider intervals must be where a triple is strange.

    Args:
        table: what the network reads of triples and their truth.
        estimator_sha256: of the estimator whose estimates are in the table.
        config: how to fit; None for the defaults.
    """
    config = config or FittingConfig()
    rng = stream(config.seed, "conditional", "fitting", 0)
    order = rng.permutation(len(table))
    count = int(config.held_back * len(table))
    kept, learnt = table.rows(order[:count]), table.rows(order[count:])
    groups = groups_of(learnt)
    scaling = _scaling(learnt)
    members = _train(learnt, groups, scaling, config, rng)
    network = _network(members, slice(0, config.network.members), learnt, scaling, config.network)
    witnesses = {
        group: _network(
            members,
            slice(config.network.members + number, config.network.members + number + 1),
            learnt.rows(groups != group),
            scaling,
            config.network.model_copy(update={"members": 1}),
        )
        for number, group in enumerate(GROUPS)
    }
    return _calibrate(network, witnesses, kept, estimator_sha256, rng)


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


def _train(
    table: TripleTable,
    groups: NDArray[np.str_],
    scaling: _Scaling,
    config: FittingConfig,
    rng: np.random.Generator,
) -> Members:
    """Members of the estimator, then one for each group that does not see it."""
    features, candidates = swapped(table.features, table.candidates)
    other = TripleTable(features, candidates, table.cmi, table.n, table.d, table.family)
    inputs = torch.from_numpy(np.stack([scaling.inputs(table), scaling.inputs(other)]))
    estimates = torch.from_numpy(np.stack([table.candidates, candidates]))
    target = torch.from_numpy(table.cmi).float()
    seen = torch.ones(config.network.members + len(GROUPS), len(table))
    for number, group in enumerate(GROUPS):
        seen[config.network.members + number] = torch.from_numpy(groups != group).float()
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
        order, sides = (
            torch.from_numpy(rng.permutation(len(table))),
            torch.from_numpy(rng.integers(2, size=len(table))),
        )
        for rows in torch.split(order, config.batch_size):
            side = sides[rows]
            knots = members(inputs[side, rows], estimates[side, rows])
            loss = (_loss(knots, target[rows]) * seen[:, rows]).mean(dim=1).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(members.parameters(), 5.0)
            optimiser.step()
            schedule.step()
    return members


_MASS = torch.from_numpy(knot_mass()).float()
_TAU = _MASS.cumsum(0) - _MASS / 2


def _loss(knots: Tensor, target: Tensor) -> Tensor:
    """Pinball loss of each member on each triple, shape (members, B)."""
    total = torch.zeros(knots.shape[:2])
    for values, truth in ((from_scale(knots, LEAK), target), (leaky(knots), square_root_scale(target))):
        error = truth[:, None] - values
        total = total + 0.5 * (torch.maximum(_TAU * error, (_TAU - 1) * error) @ _MASS)
    return total


def _network(
    members: Members, chosen: slice, known: TripleTable, scaling: _Scaling, config: ConditionalConfig
) -> ConditionalNetwork:
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


def _calibrate(
    network: ConditionalNetwork,
    witnesses: Mapping[str, ConditionalNetwork],
    table: TripleTable,
    estimator_sha256: str,
    rng: np.random.Generator,
) -> Fitted:
    """Calibrate on triples that had no part in training, as `mistworks.training.calibrating` does."""
    groups = groups_of(table)
    quantiles, strangeness = network.predict(table.features, table.candidates)
    calibration = Calibration.fit(quantiles, table.cmi, table.n, table.d, rng)
    familiar = _scores(calibration, quantiles, strangeness, table, rng)
    unseen, calibrations = {}, {}
    for group, witness in witnesses.items():
        known = groups != group
        of_witness, far = witness.predict(table.features, table.candidates)
        part = table.rows(known)
        calibrations[group] = Calibration.fit(of_witness[known], part.cmi, part.n, part.d, rng)
        scores = _scores(calibrations[group], of_witness[~known], far[~known], table.rows(~known), rng)
        shift = np.median(familiar.log_strangeness[known]) - np.median(np.log(far[known]))
        unseen[group] = Scores(scores.z, scores.log_strangeness + shift, scores.family)
    widening = Widening.fit(familiar, list(unseen.values()))

    def estimator(of: ConditionalNetwork, plain: Calibration, learnt: Widening) -> ConditionalEstimator:
        return ConditionalEstimator(of, plain.model_copy(update={"widening": learnt}), estimator_sha256)

    others = {
        group: Widening.fit(familiar, [scores for name, scores in unseen.items() if name != group])
        for group in unseen
    }
    return Fitted(
        estimator(network, calibration, widening),
        MappingProxyType(
            {group: estimator(witnesses[group], calibrations[group], others[group]) for group in witnesses}
        ),
    )


def _scores(
    calibration: Calibration,
    quantiles: NDArray[np.float64],
    strangeness: NDArray[np.float64],
    table: TripleTable,
    rng: np.random.Generator,
) -> Scores:
    calibrated = calibration.apply(quantiles, table.n, table.d)
    return Scores(pit_z(calibrated, table.cmi, rng), np.log(strangeness), table.family)


__all__ = ["Fitted", "FittingConfig", "fit", "groups_of"]
