"""The page: one file that loads nothing, with escaped names; in a browser, sorted and filtered."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mistworks import Matrix, matrix
from mistworks.errors import MistworksError
from tests.support.browser import needs_browser, opened
from tests.support.stand_ins import GaussianStandIn

HOSTILE = "<script>alert('$body')</script>\n&\"name\""


def example() -> Matrix:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    frame = pd.DataFrame({"b10": x[:, 0], "b9": x[:, 0] + x[:, 1], HOSTILE: x[:, 2], "hole": np.nan})
    with pytest.warns(match="fewer than 5"):
        return matrix(frame, missing="drop", model=GaussianStandIn())


class Reader(HTMLParser):
    """Tags and attributes, and the text of each cell."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.in_cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


@pytest.fixture
def page(tmp_path: Path) -> str:
    example().to_html(tmp_path / "matrix.html")
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.html"]
    return (tmp_path / "matrix.html").read_text(encoding="utf-8")


def test_it_loads_nothing(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    assert not [tag for tag, attrs in reader.tags if {"src", "href"} & set(attrs)]
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page


def test_names_are_data(page: str) -> None:
    assert "<script>alert" not in page
    reader = Reader()
    reader.feed(page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert HOSTILE in {cell for row in reader.rows for cell in row}


def test_the_table_is_that_of_the_matrix(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    table = example().table()
    head, *rows = reader.rows
    assert head == ["a", "b", "MI (nats)", "lower", "upper", "rows"]
    assert len(rows) == len(table) == 6
    assert [row[:2] for row in rows] == table[["a", "b"]].to_numpy().tolist()
    assert rows[0][2] == f"{table.loc[0, 'mi']:.3f}"
    assert rows[-1][2:] == ["–", "–", "–", "0"]


def test_the_heat_map_has_a_cell_for_each_pair(page: str) -> None:
    assert page.count("<rect") == 16
    assert page.count('fill="#dedede"') == 4 + 6
    assert "b10 – b9: 0." in page


def test_tests_are_shown(tmp_path: Path) -> None:
    found = example()
    found.significant()
    found.to_html(tmp_path / "matrix.html", "Weather <1>")
    text = (tmp_path / "matrix.html").read_text(encoding="utf-8")
    assert '<th data-kind="number">p</th>' in text
    assert '<td data-value="1">yes</td>' in text
    assert text.count("Weather &lt;1&gt;") == 2


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MistworksError, match="nowhere"):
        example().to_html(tmp_path / "nowhere" / "matrix.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    page = tmp_path_factory.mktemp("browser") / "matrix.html"
    found = example()
    found.p_values(permutations=20)
    found.to_html(page)
    with opened(page, 500) as driver:
        yield driver


@needs_browser
class TestBrowser:
    def column(self, browser: Any, number: int) -> list[str]:
        script = "return [...document.querySelector('tbody').rows].filter(row => !row.hidden)"
        return list(browser.execute_script(f"{script}.map(row => row.cells[{number}].textContent)"))

    def click(self, browser: Any, number: int) -> None:
        browser.execute_script(f"document.querySelectorAll('th button')[{number}].click()")

    def test_clicks_sort_and_missing_values_stay_last(self, browser: Any) -> None:
        first = self.column(browser, 2)
        assert first[-3:] == ["–"] * 3
        numbers = [float(text) for text in first[:3]]
        assert numbers == sorted(numbers, reverse=True)
        self.click(browser, 2)
        assert self.column(browser, 2) == [*first[2::-1], *first[3:]]
        self.click(browser, 6)
        p = [float(text) for text in self.column(browser, 6)[:3]]
        assert p == sorted(p)
        self.click(browser, 1)
        names = self.column(browser, 1)
        # Numbers in names count as numbers.
        assert names.index("b9") < names.index("hole")

    def test_names_are_filtered(self, browser: Any) -> None:
        script = (
            "const input = document.querySelector('input'); input.value = arguments[0];"
            "input.dispatchEvent(new Event('input'))"
        )
        browser.execute_script(script, "B10 hole")
        assert (self.column(browser, 0), self.column(browser, 1)) == (["b10"], ["hole"])
        browser.execute_script(script, "")
        assert len(self.column(browser, 0)) == 6

    def test_nothing_is_wider_than_a_narrow_screen_and_nothing_fails(self, browser: Any) -> None:
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.get_log("browser") == []

    def test_labels_do_not_overlap(self, browser: Any) -> None:
        script = (
            "return [...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().toJSON())"
        )
        boxes = browser.execute_script(script)
        assert len(boxes) == 8
        for number, one in enumerate(boxes):
            for other in boxes[:number]:
                wide = min(one["right"], other["right"]) - max(one["left"], other["left"])
                high = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
                assert min(wide, high) < 1.5
