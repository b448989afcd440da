"""The report opens from disk in a browser, says only what its data say, and holds up on a narrow screen."""

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import asdict, replace
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.evaluation.cost import Cost
from mistworks.evaluation.results import QUANTILE_LEVELS, Results
from mistworks.evaluation.suites import Case, suite
from mistworks.evaluation.suites.consistency import Violation
from mistworks.report import Report, pictures, write_report
from mistworks.report.content import listed, numbers, percent, shown
from mistworks.report.document import sections
from mistworks.report.tables import all_tables, by_cause
from mistworks.report.view import View
from mistworks.units import MeasureUnit
from tests.mistworks.evaluation.test_suites import evaluate

SECTIONS = {
    "ranking",
    "truth",
    "ranks",
    "size",
    "families",
    "calibration",
    "sharpness",
    "null",
    "consistency",
    "cost",
    "worst",
    "tables",
}
HOSTILE = '<img src=x onerror="alert(1)"></script>&amp;'


ESTIMATORS: dict[str, dict[str, Any]] = {
    "mist/3": {"error": 0.1, "spread": 1.0},
    "mist/3+bootstrap": {"error": 0.1, "spread": 0.5},
    "ksg-3": {"error": 0.4},
    "cca": {"error": 0.6, "failing": 0.2},
    HOSTILE: {"error": 0.9, "spread": 2.0, "every": 3},
}


def broken(relation: str, comparisons: int, violated: int, mean: float, greatest: float) -> Violation:
    return Violation(relation, 0.01, comparisons, violated, mean, greatest, failures=0)


def results_of(
    suite: str,
    estimator: str,
    count: int,
    *,
    error: float = 0.3,
    spread: float | None = None,
    failing: float = 0.0,
    null: bool = False,
    every: int = 1,
    unit: MeasureUnit = "nats",
) -> Results:
    """Estimates with normal errors of a known size; intervals are right for a spread of 1."""
    rng = np.random.default_rng([count, len(suite)])
    name = np.array([f"task-{row % 12}" for row in range(count)])
    n = np.array([60, 200, 500])[np.arange(count) // 12 % 3]
    mi = np.zeros(count) if null else rng.exponential(1.5, count)
    rng = np.random.default_rng([count, *estimator.removesuffix("+bootstrap").encode()])
    scale = error * np.sqrt(200 / n)
    estimate = mi + scale * rng.normal(size=count)
    failed = rng.uniform(size=count) < failing
    quantiles = np.full((count, len(QUANTILE_LEVELS)), np.nan)
    if spread is not None:
        quantiles = estimate[:, None] + spread * scale[:, None] * norm.ppf(QUANTILE_LEVELS)
    quantiles[failed] = np.nan
    dimension = 1 + np.arange(count) % 5
    whole = Results(
        suite=suite,
        suite_version="1",
        estimator=estimator,
        estimator_version="1",
        position=np.arange(count),
        name=name,
        family=np.array([f"family-{row % 4}" for row in range(count)]),
        n=n,
        dx=dimension,
        dy=dimension,
        replicate=np.zeros(count, dtype=np.int64),
        mi=mi,
        mi_se=np.zeros(count),
        estimate=np.where(failed, np.nan, estimate),
        quantiles=quantiles,
        seconds=rng.uniform(0.01, 0.02, count),
        failure=np.where(failed, "needs more points than dimensions", ""),
        unit=unit,
    )
    return whole[::every]


def sample(suite: str, position: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng([position, len(suite)])
    x = rng.standard_normal((200, 3))
    return x.astype(np.float32), (x[:, ::-1] + rng.standard_normal((200, 3))).astype(np.float32)


def report_of(count: int = 180) -> Report:
    results = [
        results_of(suite, name, count, null=suite == "null", **options)
        for suite in ("m-test", "beyond", "null")
        for name, options in ESTIMATORS.items()
    ]
    costs = tuple(
        Cost(name, "1", n, d, d, n * 1e-5, n * 10_000, 5)
        for name in ("mist/3", "ksg-3")
        for n in (100, 1_000)
        for d in (2, 16)
    )
    violations = {
        "mist/3": [broken("symmetry", 40, 0, 0.0, 0.0), broken("data processing", 40, 3, 0.05, 0.2)],
        "ksg-3": [broken("symmetry", 40, 0, 0.0, 0.0), broken("data processing", 40, 0, 0.0, 0.0)],
    }
    return Report(
        tuple(results),
        (*costs, Cost("cca", "1", 10, 16, 16, None, None, 0, HOSTILE)),
        violations,
        sample=sample,
        about={"commit": "0123abc", "note": HOSTILE},
    )


def sentences(report: Report, section: str, suite: str) -> list[str]:
    (found,) = [each for each in sections(report, View(report.results)) if each.key == section]
    return [figure.sentence for figure in found.figures.get(suite, ())]


class TestContent:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (0.12345, "0.123"),
            (123.4, "123"),
            (98765.4, "98,800"),
            (2e-6, "2.00e-06"),
            (-1.5, "−1.5"),
        ],
    )
    def test_figures(self, value: float, text: str) -> None:
        assert shown(value) == text

    def test_words(self) -> None:
        assert listed(["a"]) == "a"
        assert listed(["a", "b", "c"]) == "a, b and c"
        assert listed(["a", "b", "c", "d", "e"], most=2) == "a, b and 3 more"
        assert [percent(value) for value in (0, 1, 0.5, 0.993)] == ["0%", "100%", "50%", "99.3%"]
        assert numbers([1 / 3, np.nan, np.inf]) == [0.3333, None, None]


class TestFailures:
    def test_what_differs_in_numbers_alone_is_one_cause(self) -> None:
        reasons = Counter(
            {
                "n > dx + dy is needed, and n = 10 with 16 + 2 came": 4,
                "n > dx + dy is needed, and n = 1,000 with 512 + 512 came": 2,
                "n > dx + dy is needed, and n = 20 with 16 + 5 came": 3,
                "ksg-3 of x2 gave -1e+39": 1,
                "ksg-5 of x2 gave -1e+39": 1,
                "no numbers": 5,
            }
        )
        assert by_cause(reasons).most_common() == [
            ("n > dx + dy is needed, and n = 10 to 1,000 with 16 to 512 + 2 to 512 came", 9),
            ("no numbers", 5),
            ("ksg-3 of x2 gave -1e+39", 1),
            ("ksg-5 of x2 gave -1e+39", 1),
        ]

    def test_the_table_has_a_row_for_each_cause(self) -> None:
        failed = results_of("s", "a", 300, failing=2.0)
        told = [f"more than {row % 7} points are needed, and {row % 50} came" for row in range(300)]
        report = Report((replace(failed, failure=np.array(told)),))
        (table,) = [each for each in all_tables(View(report.results)) if each.title == "Failures"]
        assert [[cell.text for cell in row] for _, row in table.rows] == [
            ["a", "more than 0 to 6 points are needed, and 0 to 49 came", "300"]
        ]


class TestAxes:
    def test_labels_of_shares_are_distinct(self) -> None:
        for section in sections(report_of(), View(report_of().results)):
            for figure in (each for figures in section.figures.values() for each in figures):
                for panel in figure.panels:
                    for axis in ("xaxis", "yaxis"):
                        assert panel.layout.get(axis, {}).get("tickformat", "~%") == "~%"


COLOURS = files("mistworks.report") / "assets" / "colours.js"
NODE = shutil.which("node")
MEASURE = """
const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
const shares = Array.from({ length: 1001 }, (_, k) => k / 1000);
const cells = Object.values(SCALES).flatMap((scale) => shares.map((share) => colourAt(scale, share)));
const least = (ink) => Math.min(...cells.map(
  (cell) => contrast(luminance(cell), luminance(channels(ink(cell)))),
));
const brightness = ([red, green, blue]) => 0.299 * red + 0.587 * green + 0.114 * blue;
const byPlotly = (cell) => (brightness(cell) < 128 ? "#ffffff" : "#444444");
const heat = { x: ["a", "b"], y: ["f", "g"], text: [["0.1", ""], ["1", "10"]], texttemplate: "%{text}" };
const [bare, words] = heatWithWords({ ...heat, z: [[-1, null], [0, 1]] }, SCALES.light);
const flat = heatWithWords({ ...heat, z: [[2, null], [2, 2]] }, SCALES.light);
console.log(JSON.stringify({
  ours: least(legibleOn), plotly: least(byPlotly), flat: flat[1].textfont.color, bare, words,
  ends: [0, 1].map((share) => colourAt(SCALES.dark, share)),
}));
"""


@pytest.mark.skipif(NODE is None, reason="no Node.js here: the colours of words are not measured")
class TestMap:
    @pytest.fixture
    def measured(self) -> Any:
        assert NODE is not None
        done = subprocess.run([NODE, "-e", COLOURS.read_text() + MEASURE], capture_output=True, check=True)
        return json.loads(done.stdout)

    def test_words_are_legible_on_every_colour(self, measured: Any) -> None:
        assert measured["plotly"] < 3
        assert measured["ours"] >= 4.5
        assert measured["ends"] == [[0x20, 0x26, 0x2C], [0xF5, 0xE9, 0xA6]]

    def test_every_cell_that_has_a_value_has_its_word(self, measured: Any) -> None:
        words, bare = measured["words"], measured["bare"]
        assert (words["x"], words["y"]) == (["a", "a", "b"], ["f", "g", "g"])
        assert words["text"] == ["0.1", "1", "10"]
        assert words["textfont"]["color"] == ["#000000", "#000000", "#ffffff"]
        assert (bare["zmin"], bare["zmax"]) == (-1, 1)
        assert "texttemplate" not in bare
        assert measured["flat"] == ["#000000"] * 3


class TestSentences:
    def test_the_best_is_named_with_its_figure_and_failures_are_told(self) -> None:
        (ranking, differences) = sentences(report_of(), "ranking", "m-test")
        mine = report_of().results[0]
        assert "mist/3 has the lowest" in ranking
        assert shown(float(np.abs(mine.estimate - mine.mi).mean())) in ranking
        assert "cca (" in ranking
        assert "part of the suite" in ranking
        assert "than mist/3 beyond" in " ".join(differences.split())

    def test_they_turn_with_the_data(self) -> None:
        good, bad = results_of("s", "a", 200, error=0.1), results_of("s", "b", 200, error=0.5)
        assert "a has the lowest" in sentences(Report((good, bad)), "ranking", "s")[0]
        swapped = replace(good, estimator="b"), replace(bad, estimator="a")
        assert "b has the lowest" in sentences(Report(swapped), "ranking", "s")[0]

    def test_calibration_is_judged_in_both_directions(self) -> None:
        report = report_of(900)
        (curve, transform) = sentences(report, "calibration", "m-test")
        assert "less often than promised for 1 of 3 estimators (mist/3+bootstrap)" in curve
        assert f"more often for 1 ({HOSTILE})" in curve
        assert "for 1 of 3 estimators (mist/3)" in transform

    def test_a_bootstrap_that_covers_less_is_said_to(self) -> None:
        assert "1 of 1 estimators come closer to 90%" in sentences(report_of(), "sharpness", "m-test")[0]

    def test_false_alarms(self) -> None:
        estimates, alarms = sentences(report_of(900), "null", "*")
        assert "90% of the estimates of mist/3" in estimates
        assert "5% for 1 of 3 estimators (mist/3+bootstrap)" in alarms

    def test_consistency(self) -> None:
        (sentence,) = sentences(report_of(), "consistency", "*")
        assert "1 of 2 estimators satisfy every relation, without failures (ksg-3)" in sentence
        assert "0.2 nats, of data processing by mist/3" in sentence

    def test_nothing_but_failures(self) -> None:
        failed = results_of("s", "a", 30, failing=2.0)
        report = Report((failed,), sample=sample)
        assert "Every estimator failed" in sentences(report, "ranking", "s")[0]
        assert "No estimator" in sentences(report, "truth", "s")[0]
        assert sentences(report, "worst", "s") == []


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, report_of())
    return path.read_text(encoding="utf-8")


def power_results(estimator: str, seen: float, unit: MeasureUnit = "nats") -> Results:
    """Results on the suite of permuted copies: the share ``seen`` of the samples exceeds its copies."""
    built = suite("power")
    rng = np.random.default_rng(0)

    def value(case: Case) -> float:
        first, dependent = case.name.startswith("00"), case.mi > 0
        return 9.0 if first and dependent and rng.uniform() < seen else float(not first)

    return replace(evaluate(built, value), estimator=estimator, unit=unit)


class TestOtherUnits:
    """Measures that are not in nats: a rank correlation and power, and a place in no other figure."""

    REPORT = replace(
        report_of(60),
        results=(
            *report_of(60).results,
            *(
                results_of(s, "dcor", 60, null=s == "null", unit="none", error=0.01)
                for s in ("m-test", "beyond", "null")
            ),
            power_results("mist/3", 0.9),
            power_results("dcor", 0.5, "none"),
        ),
    )

    def test_they_are_ranked_among_the_others(self) -> None:
        (sentence,) = sentences(self.REPORT, "ranks", "m-test")
        assert re.search(
            r"^dcor orders the datasets of m-test best, rank correlation 1\.000; of those ", sentence
        )
        assert sentences(self.REPORT, "ranks", "null") == []

    def test_few_datasets_in_order_are_not_the_best(self) -> None:
        part = results_of("m-test", "few", 60, error=0.0, failing=0.5)
        (sentence,) = sentences(Report((part, results_of("m-test", "all", 60))), "ranks", "m-test")
        assert sentence.startswith("all orders the datasets of m-test best")
        assert sentence.endswith("; on part of the datasets alone: few.")

    def test_power(self) -> None:
        first, second = sentences(self.REPORT, "ranks", "*")
        assert re.search(r"^A permutation test at level 5% with mist/3 sees (8|9)\d% of the dependent", first)
        assert re.search(r"with dcor it sees the fewest, (4|5)\d%\. On independent pairs no measure", first)
        assert re.search(r"^The relation that is hardest to see is ", second)

    def test_no_figure_of_errors_or_intervals_has_them(self) -> None:
        for section in sections(self.REPORT, View(self.REPORT.results)):
            if section.key not in ("ranks", "tables"):
                assert "dcor" not in json.dumps([asdict(f) for fs in section.figures.values() for f in fs])
        accuracies, _, failures = all_tables(View(self.REPORT.results))
        assert not any(cells[0].text == "dcor" for table in (accuracies, failures) for _, cells in table.rows)

    def test_the_table_has_their_unit(self) -> None:
        (section,) = [s for s in sections(self.REPORT, View(self.REPORT.results)) if s.key == "ranks"]
        correlations, power = section.tables
        units = {cells[0].text: cells[1].text for _, cells in correlations.rows}
        assert (units["dcor"], units["mist/3"]) == ("none", "nats")
        assert {cells[0].text for _, cells in power.rows} == {"dcor", "mist/3"}

    def test_nothing_but_them(self, tmp_path: Path) -> None:
        only = Report((results_of("m-test", "dcor", 60, unit="none"),), sample=sample)
        write_report(tmp_path / "report.html", only)
        assert sentences(only, "ranking", "m-test") == []
        assert set(pictures(only.results)) == {"ranks"}

    def test_pictures(self, tmp_path: Path) -> None:
        drawn = pictures(self.REPORT.results)
        assert set(drawn) == {"errors", "calibration", "ranks", "power"}
        for name in ("ranks", "power"):
            drawn[name].savefig(tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").stat().st_size > 10_000


class TestFile:
    def test_needs_no_network(self, text: str) -> None:
        assert not re.search(r'<(script|link|img|iframe)[^>]+(src|href)="(?!data:)', text)
        assert "default-src 'none'" in text

    def test_outside_text_is_escaped(self, text: str) -> None:
        assert HOSTILE not in text
        assert "<img" not in text.split("<script>", 1)[0]
        assert HOSTILE in unescape(text.split("<script>", 1)[0])
        assert text.count("</script>") == 3

    def test_data_read_back(self, text: str) -> None:
        (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
        read: dict[str, Any] = json.loads(data)
        assert read["suites"] == ["m-test", "beyond", "null"]
        assert set(read["sections"]) == SECTIONS - {"tables"}

    def test_same_report_same_bytes(self, text: str, tmp_path: Path) -> None:
        write_report(tmp_path / "again.html", report_of())
        assert (tmp_path / "again.html").read_text(encoding="utf-8") == text

    def test_size(self, text: str) -> None:
        assert len(text.encode()) < 7_000_000

    def test_what_cannot_be_shown(self, tmp_path: Path) -> None:
        one = results_of("s", "a", 10)
        with pytest.raises(MistworksError, match="with at least one dataset, got none"):
            write_report(tmp_path / "r.html", Report(()))
        with pytest.raises(MistworksError, match="got several of a on s"):
            write_report(tmp_path / "r.html", Report((one, one)))
        other = replace(one, estimator="b", suite_version="2")
        with pytest.raises(MistworksError, match="Expected one version of the suite s"):
            write_report(tmp_path / "r.html", Report((one, other)))
        assert list(tmp_path.iterdir()) == []

    def test_versions_of_one_estimator_are_told_apart(self) -> None:
        one = results_of("s", "a", 10)
        assert View([one, replace(one, estimator_version="2")]).estimators == ("a (1)", "a (2)")


class TestPictures:
    def test_drawn(self, tmp_path: Path) -> None:
        drawn = pictures(report_of().results)
        assert set(drawn) == {"errors", "calibration", "ranks"}
        for name, figure in drawn.items():
            figure.savefig(tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").stat().st_size > 10_000

    def test_points_only(self) -> None:
        assert set(pictures([results_of("s", "a", 30)])) == {"errors", "ranks"}


LABELS = files("mistworks.report") / "assets" / "labels.js"
WRITE = """
console.log(JSON.stringify({
  lines: [
    ["ksg-3", 17, 2], ["gaussian-copula+bootstrap", 17, 2], ["permutation of coordinates", 17, 2],
    ["gaussian-copula-shrunk+bootstrap", 17, 2], ["x".repeat(40), 17, 2], ["a & b <b>", 17, 1],
    ["gaussian-copula+bootstrap", 12, 1],
  ].map((given) => inLines(...given)),
  ticks: [
    [[0.2, 4], 8], [[0.2, 4], 2], [[0.3, 0.9], 8], [[0.3, 0.9], 3], [[1e-6, 1], 8], [[1e-6, 1], 4],
    [[0.014, 0.015], 3], [[0, -1], 3],
  ].map((given) => logTicks(...given)),
}));
"""


@pytest.mark.skipif(NODE is None, reason="no Node.js here: the labels of axes are not written")
class TestLabels:
    @pytest.fixture
    def written(self) -> Any:
        assert NODE is not None
        done = subprocess.run([NODE, "-e", LABELS.read_text() + WRITE], capture_output=True, check=True)
        return json.loads(done.stdout)

    def test_a_long_name_breaks_between_its_parts_and_is_no_markup(self, written: Any) -> None:
        assert written["lines"] == [
            "ksg-3",
            "gaussian-copula<br>+bootstrap",
            "permutation of<br>coordinates",
            "gaussian-copula-<br>shrunk+bootstrap",
            f"{'x' * 16}…",
            "a &amp; b &lt;b&gt;",
            "gaussian-…",
        ]

    def test_a_logarithmic_axis_has_as_many_numbers_as_there_is_room_for(self, written: Any) -> None:
        def within(place: int, low: float, high: float) -> list[str]:
            ticks = written["ticks"][place]
            return [
                text
                for value, text in zip(ticks["tickvals"], ticks["ticktext"], strict=True)
                if low <= value <= high
            ]

        assert within(0, 0.2, 4) == ["0.3", "1", "3"]
        assert within(1, 0.2, 4) == ["1"]
        assert within(2, 0.3, 0.9) == ["0.3", "0.4", "0.5", "0.6", "0.8"]
        assert within(3, 0.3, 0.9) == ["0.5"]
        assert within(4, 1e-6, 1) == [
            f"10<sup>{power}</sup>" for power in ("−6", "−5", "−4", "−3", "−2", "−1", "0")
        ]
        assert within(5, 1e-6, 1) == [f"10<sup>{power}</sup>" for power in ("−6", "−4", "−2", "0")]
        assert written["ticks"][6:] == [{"type": "linear", "nticks": 3}, {}]
