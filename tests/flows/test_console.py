"""What commands print for people: nothing is cut off, nothing is blank, and headings say what is so."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from flows.cli.console import print_evaluated, print_verification, print_version
from flows.cli.tables import print_columns
from flows.evaluate import Evaluated
from storage.datasets.verification import Verification
from storage.registry.lineage import Lineage, RegisteredVersion
from tests.mistworks.report.test_report import power_results, results_of

NAMES = ["mist/3", "gaussian-copula+bootstrap", "gaussian-shrinkage", "ksg-3"]
EVALUATED = Evaluated(
    results=tuple(
        replace(results_of(suite, name, 60, error=12.3456, spread=1.0, every=2 if "ksg" in name else 1))
        for suite in ("m-test", "validation-of-mist-12")
        for name in NAMES
    ),
    suites={},
    datasets={"m-test": 60, "validation-of-mist-12": 60},
    estimators=(),
    computed=420,
    seconds=12.0,
)


def printed(capsys: pytest.CaptureFixture[str], width: int | None, report: Path | None = None) -> str:
    print_evaluated(EVALUATED, "/results", report, width)
    return capsys.readouterr().out


def figures(table: str) -> list[str]:
    return sorted(set(re.findall(r"-?\d[\d.,]*(?:e[+-]\d+)?", table)))


@pytest.mark.parametrize("width", [80, 110, 200])
def test_an_evaluation_loses_no_digit_and_no_name(capsys: pytest.CaptureFixture[str], width: int) -> None:
    text = printed(capsys, width)
    table = text.partition("evaluated")[0]
    assert max(map(len, table.splitlines())) <= width
    assert "…" not in table
    assert figures(table) == figures(printed(capsys, None).partition("evaluated")[0])
    parts = table.count(" estimator ")
    for name in NAMES:
        assert len(re.findall(rf"(?<!\S){re.escape(name)}(?!\S)", table)) == 2 * parts
    for heading in ("datasets", "failures", "MSE", "MAE", "bias", "90 % covers", "ms"):
        assert len(re.findall(rf"(?<!\S){heading}(?!\S)", table)) == 1
    assert (parts == 1) == (width == 200)


def test_measures_in_other_units_have_a_rank_and_power_and_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = (
        *EVALUATED.results[:1],
        results_of("m-test", "dcor", 60, error=0.1, unit="none"),
        power_results("dcor", 0.5, "none"),
    )
    mixed = replace(EVALUATED, results=results, datasets={**EVALUATED.datasets, "power": 4_800})
    print_evaluated(mixed, "/results", None, 200)
    table, _, facts = capsys.readouterr().out.partition("evaluated")
    rows = [line.split() for line in table.splitlines() if " dcor " in line]
    assert rows[0][-5:] == ["—", rows[0][-4], "none", "—", rows[0][-1]]
    assert rows[0][4:7] == ["—", "—", "—"]
    assert float(rows[0][-4]) > 0.9
    assert re.fullmatch(r"[45]\d\.\d%", rows[1][-2])
    assert re.search("unit +what is not in nats has no error", facts)
    print_evaluated(EVALUATED, "/results", None, 200)
    assert " unit " not in capsys.readouterr().out


def test_an_evaluation_says_where_results_and_report_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.search(r"report +none; run again with --report report.html", printed(capsys, 110))
    monkeypatch.chdir(tmp_path)
    text = printed(capsys, 40, Path("r.html"))
    assert re.search(rf"report +{re.escape(str(tmp_path / 'r.html'))}\n", text)
    assert re.search(r"results +/results\n", text)


def test_what_a_screen_cannot_hold_at_all_is_broken_into_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns(["a", "b"], [["[bold]" * 5, "0.25"]], keys=1, width=20)
    lines = capsys.readouterr().out.splitlines()
    assert "".join(line[:13].strip() for line in lines[3:]) == "[bold]" * 5
    assert any("0.25" in line for line in lines)


@pytest.mark.parametrize(
    ("missing", "damaged", "heading"),
    [
        ((), {}, "verified"),
        ((1,), {}, "incomplete"),
        ((), {2: "its checksum fails"}, "damaged"),
        ((1,), {2: "its checksum fails"}, "damaged"),
    ],
)
def test_the_check_of_a_store_is_headed_by_its_verdict(
    capsys: pytest.CaptureFixture[str], missing: tuple[int, ...], damaged: dict[int, str], heading: str
) -> None:
    whole = None if missing or damaged else "0f" * 32
    print_verification(Verification("s.zarr", 21, 3, missing, damaged, whole))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == heading
    assert "verified" not in "\n".join(rest)


def test_a_version_that_is_not_calibrated_is_shown_without_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    lineage = Lineage(
        "run", "quick", "train.zarr", "1a", "validation.zarr", "2b", "", "", "3c", "", "unknown", False, ""
    )
    version = RegisteredVersion(
        "mist", 3, (), {"validation.mse": 0.1}, lineage, False, "not champion", True, "2026-11-26"
    )
    print_version(version)
    facts = dict(
        re.split(r" {2,}", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:]
    )
    assert all(facts.values())
    absent = {name for name, value in facts.items() if value == "none"}
    assert absent == {"aliases", "calibration store", "calibration hash", "calibration sha256"}
    assert facts["code version"] == "unknown"
    assert facts["code dirty"] == "False"
