from dataclasses import replace
from pathlib import Path

import mistworks
from mistworks.estimation.card import ModelCard
from tests.mistworks.estimation.test_estimator import CALIBRATED, ESTIMATOR, POINT_ESTIMATOR, X, Y

CARD = ModelCard(
    preset="tiny",
    commit="c0ffee",
    data={"train": "a" * 64, "calibration": "b" * 64},
    seconds={"training": 90.0, "generation": 5400.0, "statistics": 9000.0},
    machine="2 cores",
    results={"m-test MSE, nats²": 0.01234567},
    not_to_trust=("Two spirals.",),
)


def test_it_tells_where_the_model_comes_from() -> None:
    text = CARD.text(CALIBRATED)
    assert CALIBRATED.calibration is not None
    for told in (
        "`mistworks pipeline --preset tiny` at commit `c0ffee`",
        CALIBRATED.weights_sha256,
        CALIBRATED.calibration.sha256,
        "fitted on 400 datasets",
        f"- Data, calibration: content hash `{'b' * 64}`.",
        "- Time, training: 90 s on 2 cores.",
        "- Time, generation: 90 min on 2 cores.",
        "- Time, statistics: 2.5 h on 2 cores.",
        "| m-test MSE, nats² | 0.01235 |",
        "n 10…500, dx 2…32, dy 2…32",
        "coverage is promised on average",
        "- Two spirals.",
    ):
        assert told in text
    assert "None" not in text


def test_it_tells_what_a_model_lacks() -> None:
    assert "not calibrated" in CARD.text(ESTIMATOR)
    assert "no quantiles and no intervals" in CARD.text(POINT_ESTIMATOR)
    assert "None were measured." in replace(CARD, results={}).text(ESTIMATOR)


def test_a_folder_with_a_card_is_loaded_and_saved_again(tmp_path: Path) -> None:
    ESTIMATOR.save(tmp_path / "model")
    CARD.write(tmp_path / "model", ESTIMATOR)
    assert (tmp_path / "model" / "README.md").read_text() == CARD.text(ESTIMATOR)
    assert mistworks.load(tmp_path / "model").estimate(X, Y) == ESTIMATOR.estimate(X, Y)
    ESTIMATOR.save(tmp_path / "model")
