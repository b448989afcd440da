"""`mistworks matrix`: every pair of columns of a file, for people, for programs and as a page."""

import json
from pathlib import Path

import pandas as pd
import pytest

import mistworks
from tests.support.commands import InProcess, one_sentence


def test_programs_read_what_python_says(file: Path, frame: pd.DataFrame, in_process: InProcess) -> None:
    status, out, err = in_process("matrix", file, "--missing", "drop", "--classes", "zip", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    expected = mistworks.matrix(frame, missing="drop", classes=["zip"], progress=False)
    significant = expected.significant(0.05, progress=False)
    assert (told["rows"], told["columns"], told["fdr"]) == (300, list(frame.columns), 0.05)
    assert len(told["pairs"]) == 10
    for pair in told["pairs"]:
        assert pair["mi"] == expected.mi.loc[pair["a"], pair["b"]]
        assert pair["significant"] == significant.loc[pair["a"], pair["b"]]
        assert pair["n"] == (290 if "sensor_2" in (pair["a"], pair["b"]) else 300)
    assert told["dependent"] == sum(pair["significant"] for pair in told["pairs"]) > 0


def test_people_read_a_table_and_find_the_files(file: Path, in_process: InProcess) -> None:
    asked = ("--missing", "drop", "--columns", "sensor_*,answer", "--html", "out.html", "--plot", "out.png")
    status, out, err = in_process("matrix", file, *asked)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    facts = dict(line.strip().split("  ", 1) for line in out.partition("matrix\n")[2].splitlines())
    assert facts["pairs"].strip() == "3"
    assert facts["rows"].strip() == "290 to 300 of 300"
    assert (facts["page"].strip(), facts["picture"].strip()) == ("out.html", "out.png")
    assert "sensor_1" in Path("out.html").read_text(encoding="utf-8")
    assert Path("out.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "got 10 in column 'sensor_2'"),
        (("--columns", "sensor_3"), "got 'sensor_3'. Did you mean sensor_2?"),
        (("--columns", "answer"), "Expected at least two columns"),
        (
            ("--missing", "drop", "--html", "none/out.html"),
            "Expected to write none/out.html, got: No",
        ),
        (("--missing", "drop", "--plot", "out.doc"), "got out.doc. Name it so."),
    ],
)
def test_bad_input_is_one_sentence(
    file: Path, in_process: InProcess, arguments: tuple[str, ...], sentence: str
) -> None:
    status, out, err = in_process("matrix", file, *arguments)
    assert (status, out) == (1, "")
    assert sentence in one_sentence(err)
