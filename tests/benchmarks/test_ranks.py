"""The tables of all measures: units, what failed everywhere and why, power with its interval."""

from dataclasses import replace

import numpy as np

from benchmarks.ranks import absent, by_relation, ranks
from tests.mistworks.report.test_report import power_results, results_of

RESULTS = [
    results_of("beyond", "mist/3", 60, error=0.1),
    results_of("beyond", "dcor", 60, error=0.01, unit="none"),
    results_of("null", "mist/3", 60, null=True),
    replace(
        results_of("beyond", "gmm-mi", 60),
        estimate=np.full(60, np.nan),
        failure=np.array(["Expected one column", "Expected gmm_mi, which is not installed."] * 30),
    ),
    power_results("mist/3", 0.9),
    power_results("dcor", 0.5, "none"),
]


def test_estimators_in_nats_come_first_and_units_are_said() -> None:
    lines = ranks(RESULTS).splitlines()
    assert lines[0] == "| measure | unit | beyond | power | false alarms | ms |"
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in lines[2:]}
    assert list(rows) == ["mist/3", "gmm-mi", "dcor"]
    assert [cells[0] for cells in rows.values()] == ["nats", "nats", "none"]
    assert rows["gmm-mi"][1:4] == ["— (60 of 60 failed)", "—", "—"]
    assert rows["dcor"][3].startswith("0% (0%–")


def test_absence_is_said() -> None:
    assert absent(RESULTS) == "`gmm-mi` has no estimate: Expected gmm_mi, which is not installed."


def test_power_by_relation() -> None:
    lines = by_relation(RESULTS).splitlines()
    assert "parabola-1x1" in lines[0]
    assert "| dependent |" not in lines[0]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| mist/3", "| dcor"]
