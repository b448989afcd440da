"""`mistworks estimate`: from a file to an answer, for people and for programs."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mistworks
from tests.support.commands import InProcess, one_sentence

Read = Callable[..., str]


@pytest.fixture
def read(in_process: InProcess) -> Read:
    def read(*arguments: object) -> str:
        status, out, err = in_process("estimate", *arguments)
        assert (status, err) == (0, "")
        return out

    return read


def test_programs_read_what_python_says(file: Path, frame: pd.DataFrame, read: Read) -> None:
    told = json.loads(read(file, "--x", "sensor_*", "--y", "answer", "--missing", "drop", "--json"))
    expected = mistworks.estimate(frame[["sensor_1", "sensor_2"]], frame["answer"], missing="drop")
    assert (told["mi"], told["low"], told["high"]) == (expected.mi, *expected.interval(0.9))
    assert (told["level"], told["unit"], told["familiarity"]) == (0.9, "nats", expected.familiarity)
    assert (told["rows"], told["n_used"], told["normalized"]) == (300, 290, expected.normalized)
    assert (told["x"], told["y"]) == (["sensor_1", "sensor_2"], ["answer"])


def test_people_read_how_many_rows_were_used(file: Path, read: Read) -> None:
    lines = read(file, "--x", "*", "--y", "answer", "--missing", "drop", "--unit", "bits").splitlines()
    assert max(map(len, lines)) < 80
    facts = dict(line.strip().split("  ", 1) for line in lines[1:])
    assert facts["rows"].strip() == "290 of 300"
    assert facts["X"].strip() == "sensor_1, sensor_2, colour, zip"
    assert facts["I(X;Y)"].endswith(" bits")


def test_units_and_levels(file: Path, frame: pd.DataFrame, read: Read) -> None:
    asked = (file, "--x", "sensor_1", "--y", "answer", "--unit", "bits", "--level", "0.5", "--json")
    told, expected = json.loads(read(*asked)), mistworks.estimate(frame["sensor_1"], frame["answer"])
    assert told["mi"] == pytest.approx(expected.mi / np.log(2))
    assert (told["low"], told["high"]) == pytest.approx(np.array(expected.interval(0.5)) / np.log(2))


def test_given(file: Path, frame: pd.DataFrame, read: Read) -> None:
    asked = (file, "--x", "sensor_1", "--y", "answer", "--given", "colour")
    expected = mistworks.estimate(frame["sensor_1"], frame["answer"], given=frame["colour"])
    told = json.loads(read(*asked, "--json"))
    assert (told["mi"], told["low"], told["given"]) == (expected.mi, expected.interval(0.9)[0], ["colour"])
    assert "I(X;Y|Z)" in read(*asked)


def test_classes(file: Path, frame: pd.DataFrame, read: Read) -> None:
    told = json.loads(read(file, "--x", "zip", "--y", "answer", "--classes", "zip", "--json"))
    assert told["mi"] == mistworks.estimate(frame[["zip"]], frame["answer"], classes=["zip"]).mi
    assert told["mi"] != mistworks.estimate(frame[["zip"]], frame["answer"]).mi


@pytest.mark.parametrize("written", ["csv", "parquet"])
def test_standard_input(
    file: Path, frame: pd.DataFrame, read: Read, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    content = file.read_bytes() if written == "csv" else frame.to_parquet(None)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    told = json.loads(read("-", "--x", "sensor_1", "--y", "answer", "--json"))
    assert told["mi"] == mistworks.estimate(frame["sensor_1"], frame["answer"]).mi


def test_an_infinite_end_is_a_word_in_json(file: Path, frame: pd.DataFrame, in_process: InProcess) -> None:
    frame.assign(same=np.exp(frame["sensor_1"])).to_csv("data.csv", index=False)
    status, out, err = in_process("estimate", file, "--x", "sensor_1", "--y", "same", "--json")
    told = json.loads(out, parse_constant=pytest.fail)
    assert (status, told["high"]) == (0, "Infinity")
    assert err.startswith("warning: ")
    assert float(told["high"]) == np.inf


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--x", "sensor_2", "--y", "answer"),
            "the first in row 0. Fill them, or pass --missing drop to leave",
        ),
        (("--x", "sensr_1", "--y", "Answer"), "got 'sensr_1', 'Answer'. Did you mean sensor_1 or answer?"),
        (("--x", "answer", "--y", "answer"), "Expected different columns as x and y, got answer in both."),
        (("--x", "colour", "--y", "answer", "--classes", "zip"), "used (colour, answer), got 'zip'"),
        (("--x", "sensor_1", "--y", "answer", "--level", "1.5"), "the level of an interval from 0 to"),
        (("--x", "sensor_1", "--y", "answer", "--separator", "ab"), "as the separator, got 'ab'"),
    ],
)
def test_bad_input_is_one_sentence(
    file: Path, in_process: InProcess, arguments: tuple[str, ...], sentence: str
) -> None:
    status, out, err = in_process("estimate", file, *arguments)
    assert (status, out) == (1, "")
    assert sentence in one_sentence(err)


def test_a_choice_that_is_none_is_a_usage_error(file: Path, in_process: InProcess) -> None:
    for option in (("--missing", "ignore"), ("--unit", "bytes")):
        assert in_process("estimate", file, "--x", "sensor_1", "--y", "answer", *option)[0] == 2


def test_a_word_among_numbers_is_told(file: Path, frame: pd.DataFrame, in_process: InProcess) -> None:
    wrong = frame["sensor_1"].astype(object)
    wrong[4] = "broken"
    frame.assign(sensor_1=wrong).to_csv("data.csv", index=False)
    _, _, err = in_process("estimate", file, "--x", "sensor_1", "--y", "answer")
    assert (
        "warning: Column 'sensor_1' is read as class labels: 299 of its 300 values are numbers, but row 5"
        in err
    )


@pytest.mark.parametrize("name", ["out.png", "out.svg"])
def test_a_picture(file: Path, read: Read, name: str) -> None:
    out = read(file, "--x", "sensor_*,zip", "--y", "colour", "--missing", "drop", "--plot", name)
    assert out.splitlines()[-1].split() == ["picture", name]
    assert Path(name).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out.doc", "Expected a file of a picture, such as out.png, out.svg or out.pdf, got out.doc"),
        ("none/out.png", "Expected to write none/out.png, got: No such file or directory. Correct the path."),
    ],
)
def test_pictures_that_cannot_be_written(file: Path, in_process: InProcess, name: str, sentence: str) -> None:
    status, out, err = in_process("estimate", file, "--x", "sensor_1", "--y", "answer", "--plot", name)
    assert (status, out) == (1, "")
    assert sentence in one_sentence(err)
