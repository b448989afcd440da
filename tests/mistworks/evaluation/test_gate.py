"""The gate on made-up results, each condition failing alone; invariances on estimators that break them."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from mistworks.errors import MistworksError
from mistworks.estimation.estimator import LEVELS, Estimate, Estimator, TrainingRange
from mistworks.evaluation.gate import Decision, GateConfig, decide
from mistworks.evaluation.invariance import Array, InvarianceCheck, InvarianceConfig, check_invariances
from mistworks.evaluation.results import QUANTILE_LEVELS, Results
from mistworks.networks import SetTransformerConfig, build_network
from mistworks.networks.base import Invariance

KEPT = (InvarianceCheck("points", True, 16, 0, 1e-7), InvarianceCheck("swap", False, 16, 9, 0.3))
SIZES = TrainingRange(n=(10, 200), dx=(1, 4), dy=(1, 4))
CONFIG = GateConfig(resamples=1_000)


def results(
    sigma: float, *, spread: float | None = None, count: int = 200, estimator: str = "mist/2", seed: int = 0
) -> Results:
    """Estimates off by a normal error of deviation sigma, with intervals as if it were ``spread``."""
    rng = np.random.default_rng(seed)
    mi = 2.0 + 2.0 * np.random.default_rng(99).uniform(size=count)
    estimate = mi + sigma * rng.standard_normal(count)
    quantiles = estimate[:, None] + (sigma if spread is None else spread) * ndtri(np.array(QUANTILE_LEVELS))
    whole = np.ones(count, dtype=np.int64)
    return Results(
        suite="validation",
        suite_version="1",
        estimator=estimator,
        estimator_version="1",
        position=np.arange(count),
        name=np.full(count, "normal"),
        family=np.full(count, "normal"),
        n=50 * whole,
        dx=whole,
        dy=whole,
        replicate=np.arange(count),
        mi=mi,
        mi_se=np.zeros(count),
        estimate=estimate,
        quantiles=quantiles,
        seconds=np.full(count, 1e-3),
        failure=np.full(count, ""),
    )


def points_only(of: Results) -> Results:
    return replace(of, quantiles=np.full_like(of.quantiles, np.nan))


def failing(of: Results, rows: int) -> Results:
    estimate = of.estimate.copy()
    estimate[:rows] = np.nan
    quantiles = of.quantiles.copy()
    quantiles[:rows] = np.nan
    return replace(of, estimate=estimate, quantiles=quantiles)


CHAMPION = results(0.2, estimator="mist/1", seed=1)


def failed(decision: Decision) -> list[str]:
    return [condition.name for condition in decision.conditions if not condition.passed]


def test_a_better_calibrated_challenger_passes_and_says_by_how_much() -> None:
    decision = decide([results(0.1)], [CHAMPION], KEPT, CONFIG)
    assert decision.passed
    assert decision.sentence.startswith("accuracy against the champion (MSE on validation 0.0")
    assert "of mist/1, a difference of -0.0" in decision.sentence
    assert decision.figures["validation.mse"] == pytest.approx(0.01, rel=0.3)
    assert decision.figures["validation.champion_mse"] == pytest.approx(0.04, rel=0.3)
    assert decision.figures["validation.difference_high"] < 0
    assert 0.85 < decision.figures["validation.coverage"] < 0.95
    assert "swap (9 of 16 samples, up to 0.3 nats)" in decision.conditions[-1].detail


def test_the_first_version_needs_to_beat_every_constant_only() -> None:
    decision = decide([results(0.3)], None, KEPT, CONFIG)
    assert decision.passed
    assert [condition.name for condition in decision.conditions] == [
        "failures",
        "accuracy against a constant",
        "coverage",
        "invariances",
    ]
    assert "of the best constant, 3.0" in decision.sentence


@pytest.mark.parametrize(
    ("challenger", "condition", "told"),
    [
        (failing(results(0.1), 3), "failures", "3 of 200 on validation failed, none may"),
        (results(0.3), "accuracy against the champion", r"too much to be surely better, or 0\.\d+ too much"),
        (
            results(0.1, spread=0.04),
            "coverage",
            r"contain \d\d\.\d% of the 200 .* 80% to 98% is required: .*% off",
        ),
        (results(0.1, spread=0.4), "coverage", r"contain 100\.0% of the 200 .*: 2\.0% off"),
        (points_only(results(0.1)), "coverage", "it gives no intervals, and the champion does"),
    ],
)
def test_each_condition_fails_alone_with_its_figure(challenger: Results, condition: str, told: str) -> None:
    decision = decide([challenger], [CHAMPION], KEPT, CONFIG)
    assert failed(decision) == [condition]
    assert re.search(told, decision.sentence), decision.sentence
    assert decision.sentence.startswith(condition)


def test_a_challenger_no_better_than_a_constant_fails() -> None:
    decision = decide([results(0.6)], None, KEPT, CONFIG)
    assert failed(decision) == ["accuracy against a constant"]
    assert "too much to be surely better" in decision.sentence


def test_a_broken_promise_fails_and_is_sized() -> None:
    broken = (*KEPT, InvarianceCheck("increasing", True, 16, 2, 0.25))
    decision = decide([results(0.1)], [CHAMPION], broken, CONFIG)
    assert failed(decision) == ["invariances"]
    assert "increasing broken on 2 of 16 samples, by up to 0.25 nats" in decision.sentence


def test_one_that_is_not_worse_passes_only_if_it_is_faster() -> None:
    same = replace(CHAMPION, estimator="mist/2")
    slow = decide([same], [CHAMPION], KEPT, CONFIG, time_share=0.9)
    assert failed(slow) == ["accuracy against the champion"]
    assert "its time is 90% of the champion's, where 80% at most" in slow.sentence
    assert decide([same], [CHAMPION], KEPT, CONFIG, time_share=0.7).passed
    assert not decide([results(0.3)], [CHAMPION], KEPT, CONFIG, time_share=0.1).passed


def test_the_gate_lets_an_equal_pass_as_better_as_rarely_as_it_says() -> None:
    """Of 200 pairs of equally good estimators 2.5 % pass by chance; 14 or more with probability 0.0006."""
    config = GateConfig(resamples=1_000, margin=0.0)
    passed = sum(
        decide([results(0.2, seed=2 * k + 10)], [results(0.2, seed=2 * k + 11)], KEPT, config).passed
        for k in range(200)
    )
    assert passed <= 13


def test_failing_where_it_is_hard_wins_nothing_for_a_champion() -> None:
    half = decide([results(0.1)], [failing(CHAMPION, 100)], KEPT, CONFIG)
    whole = decide([results(0.1)], [CHAMPION], KEPT, CONFIG)
    assert half.figures["validation.difference"] < whole.figures["validation.difference"]


def test_every_suite_must_be_met() -> None:
    other = {"suite": "second", "suite_version": "7"}
    challenger = [results(0.1), replace(results(0.4), **other)]
    decision = decide(challenger, [CHAMPION, replace(CHAMPION, **other)], KEPT, CONFIG)
    assert failed(decision) == ["accuracy against the champion"]
    assert "MSE on second" in decision.sentence


def test_too_few_datasets_tell_nothing() -> None:
    decision = decide([results(0.1, count=29)], None, KEPT, CONFIG)
    assert failed(decision) == ["datasets"]
    assert "29 datasets to compare on, and 30 are needed" in decision.sentence
    nothing = decide([failing(results(0.1), 200)], None, KEPT, CONFIG)
    assert failed(nothing) == ["failures", "datasets"]


def test_what_must_not_choose_a_model_is_refused() -> None:
    beyond = replace(results(0.1), suite="beyond")
    with pytest.raises(MistworksError, match="got 'beyond', which must not be used for choosing"):
        decide([beyond], None, KEPT)
    with pytest.raises(MistworksError, match=r"at least one validation suite, got 0 and 0"):
        decide([], None, KEPT)
    with pytest.raises(MistworksError, match="the same suites"):
        decide([results(0.1)], [], KEPT)
    with pytest.raises(MistworksError, match="on the same datasets of validation"):
        decide([results(0.1)], [CHAMPION[:100]], KEPT)
    with pytest.raises(MistworksError, match="Expected results on one suite"):
        decide([results(0.1)], [replace(CHAMPION, suite_version="2")], KEPT)


@pytest.mark.parametrize(
    "values",
    [{"level": 0.42}, {"coverage": (0.95, 0.99)}, {"coverage": (0.5, 0.8)}, {"margin": -0.1}, {"x": 1}],
)
def test_a_gate_that_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(MistworksError, match="GateConfig"):
        GateConfig.parse(values)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.02, 1.0), st.floats(0.01, 3.0), st.integers(0, 50), st.integers(0, 10**6))
def test_a_decision_passes_exactly_if_all_its_conditions_do(
    sigma: float, spread: float, rows: int, seed: int
) -> None:
    challenger = failing(results(sigma, spread=spread, seed=seed), rows)
    decision = decide([challenger], [CHAMPION], KEPT, CONFIG)
    assert decision.passed == (not failed(decision))
    assert decision.passed == decide([challenger], [CHAMPION], KEPT, CONFIG).passed
    assert np.isfinite(list(decision.figures.values())).all()
    if rows:
        assert "failures" in failed(decision)


# --- invariances


def gaussian(x: Array, y: Array) -> Estimate:
    """−½ log(1 − ρ²) of the first pair of principal sums: keeps what is declared below."""
    rho = np.corrcoef(x.sum(1), y.sum(1))[0, 1] if x.std() * y.std() else 0.0
    return Estimate(float(-0.5 * np.log1p(-min(rho**2, 1 - 1e-9))))


def found(estimate: object, *declared: Invariance) -> dict[str, InvarianceCheck]:
    checks = check_invariances(estimate, frozenset(declared), SIZES, InvarianceConfig(samples=6))  # type: ignore[arg-type]
    return {check.name: check for check in checks}


def test_an_estimator_keeps_what_it_keeps_and_breaks_what_it_breaks() -> None:
    checks = found(gaussian, "points", "coordinates", "swap")
    assert {name for name, check in checks.items() if check.violated} == {
        "location-scale",
        "increasing",
        "reflection",
    }
    assert all(check.passed for check in checks.values())
    assert not found(gaussian, "increasing")["increasing"].passed


@pytest.mark.parametrize(
    ("estimate", "broken"),
    [
        (lambda x, y: Estimate(float(abs(x[0, 0]))), "points"),
        (lambda x, y: Estimate(float(abs(x[:, 0].mean()))), "coordinates"),
        (lambda x, y: Estimate(x.shape[1] + 0.01 * y.std()), "swap"),
        (lambda x, y: Estimate(np.nan), "finite"),
        (lambda x, y: Estimate(-0.1), "non-negative"),
        (lambda x, y: Estimate(1.0, tuple(np.linspace(2, 1, len(LEVELS)))), "ordered quantiles"),
    ],
)
def test_each_breach_is_found(estimate: object, broken: Invariance) -> None:
    check = found(estimate, broken)[broken]
    assert not check.passed
    assert check.violated > 0
    assert check.largest > 0


def test_an_estimator_that_refuses_a_sample_is_not_finite_there() -> None:
    def refuse(x: Array, y: Array) -> Estimate:
        if x.shape == y.shape:
            raise MistworksError("no")
        return Estimate(1.0)

    assert found(refuse)["finite"].largest == np.inf
    assert found(refuse, "points")["points"].violated > 0


@pytest.mark.parametrize("scaling", ["normal-scores", "standardized"])
@pytest.mark.parametrize("objective", ["pinball", "squared-error"])
def test_the_set_transformer_keeps_what_it_declares(scaling: str, objective: str) -> None:
    config = SetTransformerConfig.parse(
        {
            "hidden": 8,
            "heads": 2,
            "feedforward": 8,
            "relation_hidden": 8,
            "inducing_points": 4,
            "seeds": 2,
            "head_hidden": 8,
            "input_scaling": scaling,
        }
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network(config)
        with torch.no_grad():
            for weights in network.parameters():
                weights.mul_(1.5)  # Initial weights give nearly a constant, which keeps everything.
    estimator = Estimator(network, config, objective, SIZES)  # type: ignore[arg-type]
    declared = estimator.network.invariances
    assert ("increasing" in declared) == (scaling == "normal-scores")
    checks = found(estimator.estimate, *declared)
    assert all(check.passed for check in checks.values()), checks
    assert checks["swap"].violated, "or else the network is a constant, and the test says nothing"
    assert bool(checks["increasing"].violated) == (scaling == "standardized")
