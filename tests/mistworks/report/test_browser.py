"""The report in a real browser: everything is drawn, on a narrow screen and on a wide one."""

from collections.abc import Iterator
from typing import Any

import pytest

from mistworks.report import write_report
from tests.mistworks.report.test_report import SECTIONS, report_of
from tests.support.browser import needs_browser, opened


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    page = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(page, report_of())
    with opened(page, 1280) as driver:
        yield driver


COLLISIONS = """
const problems = [];
for (const plot of document.querySelectorAll(".plot:not(:has(.heatmaplayer path, .heatmaplayer image))")) {
  const frame = plot.getBoundingClientRect(), boxes = [];
  for (const text of plot.querySelectorAll("text")) {
    const box = text.getBoundingClientRect();
    if (!text.textContent.trim() || !box.width) continue;
    const inside = box.left > frame.left - 1 && box.right < frame.right + 1 && box.bottom < frame.bottom + 1;
    if (!inside) problems.push(`cut: ${text.textContent}`);
    for (const [other, words] of boxes) {
      const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
      const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
      if (wide > 1.5 && high > 3) problems.push(`overlap: ${words} and ${text.textContent}`);
    }
    boxes.push([box, text.textContent]);
  }
}
return problems;
"""


@needs_browser
class TestBrowser:
    def scroll_through(self, browser: Any) -> None:
        browser.execute_script(
            "document.querySelectorAll('.plot').forEach((place) => place.scrollIntoView())"
        )
        for section in SECTIONS:
            browser.execute_script(f"document.getElementById('{section}').scrollIntoView()")
            browser.execute_async_script("setTimeout(arguments[0], 150)")

    def choose(self, browser: Any, suite: str) -> None:
        browser.execute_script(
            "const s = document.getElementById('suite'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('change'))",
            suite,
        )

    def test_every_section_is_drawn_for_every_suite_without_an_error(self, browser: Any) -> None:
        for suite in ("m-test", "beyond", "null"):
            self.choose(browser, suite)
            self.scroll_through(browser)
            for section in SECTIONS - {"tables"}:
                drawn = browser.execute_script(
                    f"return document.querySelectorAll('#{section} .plot[data-drawn] .main-svg').length"
                )
                assert drawn > 0, (suite, section)
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert browser.execute_script("return document.querySelectorAll('img').length") == 0

    def test_every_estimator_that_is_shown_is_named_in_the_ranking(self, browser: Any) -> None:
        self.choose(browser, "m-test")
        self.scroll_through(browser)
        named = (
            "const plot = document.querySelector('#ranking .plot');"
            "return [...plot.querySelectorAll('.ytick text')].map((text) => text.textContent)"
        )
        assert set(browser.execute_script(named)) >= {"mist/3", "ksg-3", "cca"}

    def test_a_table_sorts_both_ways_with_what_is_missing_last(self, browser: Any) -> None:
        self.choose(browser, "m-test")
        order = (
            "const t = document.querySelector('#tables table'), h = t.tHead.rows[0].cells[9];"
            "h.querySelector('button').click();"
            "return [...t.tBodies[0].rows].map((row) => row.cells[9].dataset.value)"
        )
        up, down = browser.execute_script(order), browser.execute_script(order)
        values = [float(value) for value in up if value]
        assert values == sorted(values)
        assert [float(value) for value in down if value] == values[::-1]
        assert up[len(values) :] == down[len(values) :] == [""] * (len(up) - len(values))

    def test_an_estimator_can_be_hidden_everywhere(self, browser: Any) -> None:
        toggle = "[...document.querySelectorAll('.chip')].find((c) => c.textContent === 'ksg-3').click();"
        panels = "return [...document.querySelectorAll('#truth .panel h3')].map((h) => h.textContent)"
        assert "ksg-3" not in browser.execute_script(toggle + panels)
        assert "ksg-3" in browser.execute_script(toggle + panels)

    def test_dark_and_light(self, browser: Any) -> None:
        background = "return getComputedStyle(document.body).backgroundColor"
        before = browser.execute_script(background)
        browser.execute_script("document.getElementById('theme').click()")
        assert browser.execute_script(background) != before
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        )
        browser.execute_script("delete document.documentElement.dataset.theme")
        assert browser.execute_script(background) == "rgb(20, 23, 27)"
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def test_labels_do_not_overlap_and_none_is_cut(self, browser: Any) -> None:
        for width in (390, 1280):
            size = {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 1000}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.refresh()
            for suite in ("m-test", "null"):
                self.choose(browser, suite)
                self.scroll_through(browser)
                assert browser.execute_script(COLLISIONS) == [], (width, suite)
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def test_a_narrow_screen_does_not_overflow(self, browser: Any) -> None:
        size = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.refresh()
        for suite in ("m-test", "null"):
            self.choose(browser, suite)
            self.scroll_through(browser)
            width = browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 375, suite
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
