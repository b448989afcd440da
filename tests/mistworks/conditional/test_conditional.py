import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mistworks
from mistworks.conditional import ConditionalEstimator, conditional, conditional_many, shipped_conditional
from mistworks.conditional.fitting import FittingConfig, fit, groups_of
from mistworks.conditional.network import ConditionalConfig, ConditionalNetwork, shapes, swapped
from mistworks.conditional.summary import CANDIDATES, FEATURES
from mistworks.conditional.table import TripleTable, summarise, summarise_split
from mistworks.conditional.triples import FURTHER, GROUPS, WEIGHTS, draw_triple
from mistworks.errors import MistworksError, MistworksWarning
from mistworks.estimation.estimate import LEVELS
from mistworks.networks.residual import Members

# Estimates are of single precision; sums in another order move them by this much, in nats.
ROUNDING = 2e-3


def sample(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 2))
    shared = rng.standard_normal(n)
    x = np.column_stack([z[:, 0] + shared, rng.standard_normal(n)])
    y = np.sin(2.0 * z[:, :1]) + shared[:, None] + rng.standard_normal((n, 1))
    return x, y, z


def close(one: mistworks.Estimate, other: mistworks.Estimate) -> bool:
    return bool(np.allclose(one.quantiles, other.quantiles, atol=ROUNDING, rtol=ROUNDING))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_points_columns_and_sides_and_monotone_maps_change_nothing(seed: int) -> None:
    x, y, z = sample(seed)
    rows = np.random.default_rng(seed).permutation(len(x))
    one, moved, swap, mapped, copied = conditional_many(
        [
            (x, y, z),
            (x[rows][:, ::-1], y[rows], z[rows][:, ::-1]),
            (y, x, z),
            (np.column_stack([np.exp(x[:, 0]), -x[:, 1]]), y**3, np.arctan(z)),
            (x, y, np.column_stack([z, z[:, 0], -np.exp(z[:, 1])])),
        ]
    )
    assert close(one, moved)
    assert close(one, swap)
    assert close(one, mapped)
    assert close(one, copied)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_of_classes_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 3, size=240)
    x = (z + rng.integers(0, 2, size=240)) % 4
    y = (x + rng.integers(0, 3, size=240)) % 5
    names = np.array(list("edcba"))
    others = np.array(list("bdaec"))
    one, other = conditional_many([(names[x], names[y], names[z]), (others[x], others[y], others[z])])
    assert close(one, other)


def test_what_z_determines_and_what_is_constant_tells_nothing() -> None:
    x, y, z = sample(1)
    still = np.ones(len(x))
    results = conditional_many([(still, y, z), (x, still, z), (np.exp(z[:, 0]), y, z), (z.sum(axis=1), y, z)])
    for estimate in results:
        assert estimate.mi == 0
        assert estimate.interval(0.9) == (0.0, 0.0)


def test_a_constant_condition_leaves_plain_mutual_information() -> None:
    x, y, _ = sample(2)
    assert conditional(x, y, np.ones(len(x))) == mistworks.estimate(x, y)


def test_a_copy_is_infinite_information_with_a_warning() -> None:
    x, _, z = sample(3)
    with pytest.warns(MistworksWarning, match="function of the other to rounding"):
        estimate = conditional(x[:, 0], x[:, 0] ** 3, z)
    assert estimate.interval(0.9)[1] == np.inf
    assert estimate.mi > 2.0


def test_parity_of_bits_is_dependence_given_the_third() -> None:
    bits = np.random.default_rng(4).integers(0, 2, size=(2, 1_000))
    parity = bits[0] ^ bits[1]
    given_parity, plain = conditional_many(
        [(bits[0], bits[1], parity), (bits[0], bits[1], np.arange(1_000) % 3)]
    )
    assert given_parity.mi == pytest.approx(np.log(2), abs=0.05)
    assert plain.mi < 0.02


def test_chains_are_independent_given_what_is_between() -> None:
    triples = [draw_triple(5, "chains", index, families=["chain"], n=1_000) for index in range(16)]
    estimates = conditional_many([triple.sides for triple in triples])
    assert max(estimate.mi for estimate in estimates) <= 0.05


def test_no_quantile_exceeds_what_a_bit_can_hold() -> None:
    rng = np.random.default_rng(6)
    z = rng.standard_normal((500, 2))
    y = rng.standard_normal(500)
    estimate = conditional((y > 0).astype(str), y, z)
    assert estimate.quantile(0.999) < np.log(2) + 0.05


def test_quantiles_are_in_order_and_results_in_the_order_of_triples() -> None:
    triples = [draw_triple(6, "order", index, n=200).sides for index in range(6)]
    together = conditional_many(iter(triples))
    for one, triple in zip(together, triples, strict=True):
        assert close(one, conditional(*triple))
        assert (np.diff(one.quantiles) >= 0).all()
    assert conditional_many([]) == []


def test_bad_triples_are_refused_in_one_sentence() -> None:
    x, y, z = sample(7)
    with pytest.raises(
        MistworksError, match=r"Expected x and z with the same number of rows, got 300 and 9\. Pass"
    ):
        conditional(x, y, z[:9])
    with pytest.raises(MistworksError, match="Expected no missing values in z, got 2"):
        conditional(x, y, np.where(np.arange(300)[:, None] == 3, np.nan, z))
    with pytest.raises(MistworksError, match="Expected z with at least one column, got none"):
        conditional(x, y, z[:, :0])


def test_another_estimator_is_warned_of() -> None:
    x, y, z = sample(8)
    other = mistworks.shipped().with_calibration(None)
    with pytest.warns(
        MistworksWarning, match="were calibrated with the estimator that comes with the package"
    ):
        conditional(x, y, z, model=other)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MistworksWarning)
        conditional(x, y, z, model=mistworks.shipped())


def test_an_estimate_needs_neither_scipy_nor_torch() -> None:
    code = """
import sys
import numpy as np
from mistworks.conditional import conditional

conditional(*np.random.default_rng(0).standard_normal((3, 60)))
print({"scipy", "torch"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_shipped_weights_are_of_the_shipped_estimator_and_small() -> None:
    estimator = shipped_conditional()
    assert estimator.estimator_sha256 == mistworks.shipped().sha256
    assert sum(values.nbytes for values in estimator.network.tensors.values()) < 2**20


def test_numpy_and_torch_compute_the_same() -> None:
    config = ConditionalConfig(members=2, hidden=16, blocks=1)
    torch.manual_seed(0)
    members = Members(2, config)
    state = {name: values.detach().numpy() for name, values in members.state_dict().items()}
    count = len(FEATURES)
    tensors = {
        name: state[name]
        if name in state
        else np.eye(count, dtype=np.float32)
        if len(shape) == 2
        else np.ones(shape, np.float32)
        for name, shape in shapes(config).items()
    }
    network = ConditionalNetwork(config, tensors)
    rng = np.random.default_rng(9)
    features = rng.standard_normal((7, count)).astype(np.float32)
    candidates = rng.uniform(0, 2, (7, len(CANDIDATES))).astype(np.float32)
    from mistworks.networks.perceptrons import member_knots

    inputs = network.standardised(features)
    expected = members(torch.from_numpy(inputs), torch.from_numpy(candidates)).detach().numpy()
    assert member_knots(tensors, 1, inputs, candidates) == pytest.approx(expected, abs=1e-4)
    one, strange = network.predict(features, candidates)
    other, as_strange = network.predict(*swapped(features, candidates))
    assert one == pytest.approx(other, abs=1e-6)
    assert strange == pytest.approx(as_strange, abs=1e-6)


def made_up_table(count: int, seed: int) -> TripleTable:
    """Candidates that are the truth and noise: all that is to be learnt is how much."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random(count) < 0.3, 0.0, rng.exponential(0.4, count))
    noisy = np.maximum(truth + 0.1 * rng.standard_normal(count), 0.0)
    features = 0.1 * rng.standard_normal((count, len(FEATURES)))
    features[:, FEATURES.index("candidate.gaussian")] = noisy
    candidates = np.tile(noisy[:, None], (1, len(CANDIDATES)))
    family = rng.choice([*WEIGHTS, *FURTHER], size=count)
    n = rng.integers(100, 2_000, size=count)
    return TripleTable(
        features.astype(np.float32), candidates.astype(np.float32), truth, n, np.full(count, 3), family
    )


def test_fitting_finds_intervals_that_cover_and_survives_a_round_trip(tmp_path: Path) -> None:
    config = FittingConfig(
        network=ConditionalConfig(members=2, hidden=16, blocks=1), epochs=8, folds=2, fold_members=1
    )
    fitted = fit(made_up_table(3_000, 0), "of-another", config)
    again = fit(made_up_table(3_000, 0), "of-another", config)
    test = made_up_table(2_000, 1)
    quantiles, strangeness = fitted.estimator.network.predict(test.features, test.candidates)
    values = fitted.estimator.calibration.apply(quantiles, test.n, test.d, strangeness)
    low, middle, high = (values[:, LEVELS.index(level)] for level in (0.05, 0.5, 0.95))
    # Four standard errors around 90 %, and what truths of 0 add, below which no interval ends.
    assert 0.87 < ((low <= test.cmi) & (test.cmi <= high)).mean() < 0.97
    assert np.abs(middle - test.cmi).mean() < 0.09
    assert set(fitted.witnesses) == set(GROUPS)
    fitted.estimator.save(tmp_path)
    loaded = ConditionalEstimator.load(tmp_path)
    assert loaded.calibration == fitted.estimator.calibration == again.estimator.calibration
    assert loaded.estimator_sha256 == "of-another"
    for name, tensor in loaded.network.tensors.items():
        assert np.array_equal(tensor, fitted.estimator.network.tensors[name])


def test_weights_that_were_edited_or_are_missing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        MistworksError, match=r"Expected config.json and model.safetensors in .*Install Mistworks"
    ):
        ConditionalEstimator.load(tmp_path)
    shipped_conditional().save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"0")
    with pytest.raises(MistworksError, match=r"as it was saved, got another file\. Install Mistworks again"):
        ConditionalEstimator.load(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"network": {"summary": "0"}}))
    with pytest.raises(
        MistworksError, match=r"Expected network\.summary of ConditionalModel to be .2., got .0."
    ):
        ConditionalEstimator.load(tmp_path)


def test_a_table_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = summarise_split(tmp_path / "a", 3, "few", 4)
    parts = [summarise_split(tmp_path / "b", 3, "few", 2, first=first) for first in (2, 0)]
    joined = TripleTable.joined([parts[1], parts[0]])
    assert np.allclose(whole.features, joined.features, atol=1e-4)
    assert np.array_equal(whole.cmi, joined.cmi)
    assert np.array_equal(groups_of(whole), groups_of(joined))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    summarise_split(tmp_path / "a", 3, "few", 4)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}


def test_a_table_of_other_weights_is_refused(tmp_path: Path) -> None:
    summarise_split(tmp_path, 3, "few", 1)
    part = next(tmp_path.iterdir())
    with np.load(part) as content:
        values = dict(content)
    np.savez(part, **(values | {"stamp": np.array("1/of-another")}))
    with pytest.raises(MistworksError, match=r"got 1/of-another\. Remove the folder, or name another"):
        summarise_split(tmp_path, 3, "few", 1)


def test_a_table_of_nothing_is_empty() -> None:
    assert len(summarise([], mistworks.shipped())) == 0
