"""Tables in files are read whatever their names are; what is no table is refused in one sentence."""

import bz2
import gzip
import io
import lzma
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistworks.errors import MistworksError, MistworksWarning
from storage.tables.opening import open_table, warn_of_numbers_among_labels

FRAME = pd.DataFrame(
    {
        "a": [1.5, np.nan, -3.0],
        "b": [1, 2, 3],
        "colour": ["red", None, "blue"],
        "when": pd.to_datetime(["2026-01-01", "2026-03-01", "2026-02-01T10:30:00"], format="ISO8601"),
    }
)
TEXT = FRAME.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return sink.getvalue()


def feather(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_feather(sink)
    return sink.getvalue()


def arrow_stream(frame: pd.DataFrame) -> bytes:
    table, sink = pa.Table.from_pandas(frame), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read(path: Path, columns: list[str] | None = None, **options: Any) -> pd.DataFrame:
    table = open_table(path, **options)
    return table.read(table.columns if columns is None else columns)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame = FRAME) -> None:
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_column_type=False)


class TestFormats:
    @pytest.mark.parametrize("name", ["data.csv", "data", "data.parquet.txt"])
    @pytest.mark.parametrize(
        "packed",
        [bytes, gzip.compress, bz2.compress, lzma.compress, zstd],
        ids=["plain", "gzip", "bzip2", "xz", "zstd"],
    )
    def test_text_is_read_whatever_packs_it(
        self, tmp_path: Path, name: str, packed: Callable[[bytes], bytes]
    ) -> None:
        assert_same(read(write(tmp_path / name, packed(TEXT.encode()))))

    @pytest.mark.parametrize("written", [parquet, feather, arrow_stream])
    def test_arrow_formats(self, tmp_path: Path, written: Callable[[pd.DataFrame], bytes]) -> None:
        path = write(tmp_path / "data", written(FRAME))
        assert_same(read(path))
        assert_same(read(path, ["when", "a"]), FRAME[["when", "a"]])

    def test_an_index_that_pandas_stored_does_not_pair_rows(self, tmp_path: Path) -> None:
        frame = FRAME[["a", "b"]].set_axis([5, 5, 7], axis=0)
        assert_same(read(write(tmp_path / "data.parquet", parquet(frame))), FRAME[["a", "b"]])

    @pytest.mark.parametrize(
        "content", [TEXT.encode(), gzip.compress(TEXT.encode(), mtime=0), parquet(FRAME)]
    )
    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert_same(read(Path("-")))

    def test_only_chosen_columns_in_their_order(self, tmp_path: Path) -> None:
        path = write(tmp_path / "data.csv", TEXT)
        assert read(path, ["colour", "a"]).columns.tolist() == ["colour", "a"]


class TestText:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_separators_are_found(self, tmp_path: Path, separator: str) -> None:
        text = FRAME.to_csv(index=False, sep=separator, date_format="%Y-%m-%d %H:%M:%S")
        assert_same(read(write(tmp_path / "data.csv", text)))

    def test_decimal_commas_are_found(self, tmp_path: Path) -> None:
        path = write(tmp_path / "data.csv", FRAME.to_csv(index=False, sep=";", decimal=","))
        assert_same(read(path))
        assert read(path, decimal=".")["a"].iloc[0] == "1,5"

    def test_quoted_separators_mislead_nobody(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "data.csv", 'name,"size; in, cm"\n"a;b;c",1\n"d,e",2\n'))
        assert found.columns.tolist() == ["name", "size; in, cm"]
        assert found["name"].tolist() == ["a;b;c", "d,e"]

    @pytest.mark.parametrize(
        ("text", "separator"), [("a   b\n1 2\n3   4\n", "space"), ("a:b\n1:2\n3:4\n", ":")]
    )
    def test_others_can_be_given(self, tmp_path: Path, text: str, separator: str) -> None:
        found = read(write(tmp_path / "data.txt", text), separator=separator)
        assert found.to_dict("list") == {"a": [1, 3], "b": [2, 4]}

    @pytest.mark.parametrize(
        "text",
        [
            "a,b\n1,2,\n3,4,\n",
            '"a","b"\n"row 1",1,2\n"row 2",3,4\n',
            "\ufeffa,b\r\n1,2\r\n3,4",
            "\n\na, b\n1, 2\n\n3, 4\n",
        ],
        ids=["separators at the end", "row names of R", "of Windows", "blanks"],
    )
    def test_what_programs_write(self, tmp_path: Path, text: str) -> None:
        path = write(tmp_path / "data.csv", text)
        assert read(path).to_dict("list") == {"a": [1, 3], "b": [2, 4]}
        assert read(path, ["b"]).to_dict("list") == {"b": [2, 4]}

    def test_columns_of_one_name_are_numbered(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "data.csv", "a,a,b\n1,2,3\n4,5,6\n"), ["a.1"])
        assert found["a.1"].tolist() == [2, 5]

    @pytest.mark.parametrize("hole", ["", "NA", "NaN", "null", "N/A"])
    def test_holes_are_those_of_pandas(self, tmp_path: Path, hole: str) -> None:
        found = read(write(tmp_path / "data.csv", f"a,b\n1,{hole}\n2,3\n"))
        assert found["b"].isna().tolist() == [True, False]

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(
            st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text("äb;,| \"'\t", min_size=1)),
            min_size=2,
            max_size=8,
        )
    )
    def test_whatever_pandas_writes_is_read(self, rows: list[tuple[float, str]]) -> None:
        frame = pd.DataFrame(rows, columns=["number", "a, text"])
        frame["a, text"] = "t" + frame["a, text"]
        with tempfile.TemporaryDirectory() as folder:
            found = read(write(Path(folder, "data.csv"), frame.to_csv(index=False)), separator=",")
        assert_same(found, frame)


class TestDates:
    @pytest.mark.parametrize(
        "values",
        [
            ["2026-01-01", "2026-01-02"],
            ["2026-01-01T10:00", "2026-01-02 10:00:00.123"],
            ["2026-01-01", "", "2026-01-02 10:00"],
            ["2026-01-01T10:00Z", "2026-06-01T10:00+02:00"],
        ],
    )
    def test_a_column_of_dates_is_one(self, tmp_path: Path, values: list[str]) -> None:
        found = read(write(tmp_path / "data.csv", "\n".join(["when,b", *(f"{each},1" for each in values)])))
        assert pd.api.types.is_datetime64_any_dtype(found["when"].dtype)
        known = [pd.Timestamp(each) for each in values if each]
        assert [each - found["when"].dropna().iloc[0] for each in found["when"].dropna()] == [
            each - known[0] for each in known
        ]

    @pytest.mark.parametrize(
        "values",
        [
            ["2026-01-01", "2026-02-30"],
            ["2026-01-01", "soon"],
            ["01/02/2026", "02/02/2026"],
            ["2026-01-01T10:00Z", "2026-01-01"],
        ],
    )
    def test_if_one_value_is_none_all_are_labels(self, tmp_path: Path, values: list[str]) -> None:
        found = read(write(tmp_path / "data.csv", "\n".join(["when,b", *(f"{each},1" for each in values)])))
        assert found["when"].tolist() == values


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("data.csv", b"", r"Expected a table in data\.csv, got an empty file"),
            ("data.csv", b"\n\n", r"got an empty file\. Write a header and rows"),
            ("data.csv", b"a,b\n", r"Expected rows below the header of data\.csv, got none"),
            ("data.csv", "é,b\n1,2\n".encode("latin1"), r"text in UTF-8 in data\.csv, got the byte 0xe9"),
            ("data.csv", "a,b\n1,2\n".encode("utf-16"), r"got text in UTF-16\. Export the table as CSV"),
            ("data.csv", b"a,b\n\x00\x01,2\n", r"got binary data\. Export"),
            ("data.xlsx", b"PK\x03\x04....", r"in data\.xlsx, got a ZIP archive or an Excel workbook"),
            ("data.pdf", b"%PDF-1.7 ...", r"got a PDF document"),
            ("data.json", b'[{"a": 1}]', r"table as CSV, Parquet or Feather in data\.json, got JSON"),
            ("page.html", b"<!doctype html>", r"got HTML or XML"),
            ("data.parquet", b"a,b\n1,2\n", r"Expected a table as Parquet in data\.parquet, got text"),
            ("data.parquet", b"PAR1....PAR1", r"Expected a whole table in Parquet in data\.parquet, got: "),
            ("data.feather", b"ARROW1\x00\x00....", r"a whole table in Feather in data\.feather, got: "),
            ("data.csv", b'a,b\n1,"2\n3,4\n', r"with a header in data\.csv, got: EOF inside string"),
            ("data.csv", b"a,b\n1,2\n3,4,5\n", r"2 fields in each row of data\.csv, got more in row 2"),
            (
                "data.csv.gz",
                gzip.compress(TEXT.encode(), mtime=0)[:-12],
                r"whole data of gzip in data\.csv\.gz",
            ),
            ("data.csv.xz", lzma.compress(TEXT.encode())[:-40], r"whole data of xz in data\.csv\.xz"),
        ],
    )
    def test_what_is_no_table(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, sentence: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        path = write(Path(name), content)
        with pytest.raises(MistworksError, match=sentence):
            read(path)

    def test_a_bad_byte_far_below_is_found(self, tmp_path: Path) -> None:
        rows = b"a,b\n" + b"1,2\n" * 300_000 + "é,3\n".encode("latin1")
        with pytest.raises(MistworksError, match="got the byte 0xe9"):
            read(write(tmp_path / "data.csv", rows))

    def test_what_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(MistworksError, match=r"^Expected a readable table at n\.csv, got: No such file"):
            open_table(Path("n.csv"))
        with pytest.raises(MistworksError, match=r"Expected a readable table at \., got: Is a directory"):
            open_table(Path())

    def test_options_that_are_none(self, tmp_path: Path) -> None:
        path = write(tmp_path / "data.csv", TEXT)
        with pytest.raises(
            MistworksError, match="Expected one character, tab or space as the separator, got ',,'"
        ):
            open_table(path, separator=",,")
        with pytest.raises(MistworksError, match=r"Expected \. or , as the decimal separator, got ';'"):
            open_table(path, decimal=";")


def test_a_column_of_numbers_with_a_word_is_told() -> None:
    frame = pd.DataFrame(
        {"age": ["1", "2", "unknown", "4"], "name": ["a", "b", "3", None], "n": [1, 2, 3, 4]}
    )
    sentence = (
        r"Column 'age' is read as class labels: 3 of its 4 values are numbers, but row 3 holds 'unknown'"
    )
    with pytest.warns(MistworksWarning, match=sentence) as caught:
        warn_of_numbers_among_labels(frame, [])
    assert len(caught) == 1


@pytest.mark.filterwarnings("error")
def test_unless_it_is_named_as_classes() -> None:
    warn_of_numbers_among_labels(pd.DataFrame({"icd": ["1", "2", "V27"]}), ["icd"])
