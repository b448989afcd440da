"""`mistworks select`: which columns of a file tell about a target."""

import json
from pathlib import Path

import pandas as pd
import pytest

import mistworks
from tests.support.commands import InProcess, one_sentence


def test_programs_read_what_python_says(file: Path, frame: pd.DataFrame, in_process: InProcess) -> None:
    status, out, err = in_process("select", file, "--target", "answer", "--missing", "drop", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out, parse_constant=pytest.fail)
    expected = mistworks.select(frame.drop(columns="answer"), frame["answer"], missing="drop")
    assert told["selected"] == list(expected.names)
    assert [column["gain"] for column in told["columns"]] == [gain.mi for gain in expected.gains]
    assert (told["target"], told["rows"], told["n_used"], told["candidates"]) == (["answer"], 300, 290, 4)
    assert "sensor_1" in told["selected"]


def test_people_read_gains_and_why_it_stopped(file: Path, in_process: InProcess) -> None:
    asked = ("--target", "answer", "--columns", "sensor_1,colour", "--k", "1", "--plot", "out.png")
    status, out, err = in_process("select", file, *asked)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    facts = dict(line.strip().split("  ", 1) for line in out.partition("selection\n")[2].splitlines())
    assert (facts["selected"].strip(), facts["rows"].strip()) == ("1 of 2", "300")
    assert facts["stopped"].strip()
    assert Path("out.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--target", "anwser"), "got 'anwser'. Did you mean answer?"),
        (("--target", "answer"), "got 10 in column 'sensor_2'"),
        (("--target", "answer", "--columns", "answer"), "as target and columns, got answer in both"),
    ],
)
def test_bad_input_is_one_sentence(
    file: Path, in_process: InProcess, arguments: tuple[str, ...], sentence: str
) -> None:
    status, out, err = in_process("select", file, *arguments)
    assert (status, out) == (1, "")
    assert sentence in one_sentence(err)
