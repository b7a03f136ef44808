"""The page in Chromium: `make test-browser`, which installs it where it isn't."""

from __future__ import annotations

from html import escape
from pathlib import Path

import cv2
import numpy as np
import pytest
from browsing import CHROMIUM, ask, console, screenshot
from runs import known

from paddleprune.reports.html.page import render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; `make test-browser` installs it"),
]
DARK = "--blink-settings=preferredColorScheme=0"
HOSTILE = (
    "<img src=https://evil.example/x onerror=document.body.dataset.ran=1><script>document.body.dataset.ran=1</script>"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "report.html"
    file.write_text(render([known(["features.10", "features.2", "fc", HOSTILE], HOSTILE)]))
    return file


def test_nothing_is_wrong_and_nothing_is_asked_for(page: Path, tmp_path: Path) -> None:
    assert console(page) == []
    found, log = ask(
        page,
        "found.ran = document.body.dataset.ran ?? null;"
        "found.loaded = performance.getEntriesByType('resource').map((entry) => entry.name)"
        ".filter((name) => !name.startsWith('data:'));"
        "found.scripts = document.scripts.length;",
        tmp_path,
    )
    assert found == {"ran": None, "loaded": [], "scripts": 2}
    assert "evil.example" not in log


def test_the_policy_stops_what_is_not_the_page_s(page: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text(page.read_text().replace("</body>", "<script>document.title = 'ran'</script></body>"))
    assert any("Content Security Policy" in line for line in console(other))


def test_hovering_says_the_figures(page: Path, tmp_path: Path) -> None:
    found, _ = ask(
        page,
        "const tip = document.getElementById('tip'); found.before = tip.hidden;"
        "const at = (selector) => document.querySelector(selector)"
        ".dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));"
        "at('.heat td.loss'); found.heat = tip.textContent; found.shown = !tip.hidden;"
        "const box = tip.getBoundingClientRect(); found.inside = box.left >= 0 && box.right <= innerWidth;"
        "at('circle.ring'); found.ring = tip.textContent;"
        "at('circle.dot.s1'); found.dot = tip.textContent;"
        "at('h1'); found.after = tip.hidden;",
        tmp_path,
    )
    assert found["before"]
    assert found["after"]
    assert found["shown"]
    assert found["inside"]
    assert found["heat"] == "features.10, 60% removed\nmetric loss 40.00 ± 0.20 %\n50 samples"
    assert found["ring"].startswith("lenet_prune")
    assert found["dot"] == "cut alone: acc1 0.1000\n80.0% of the FLOPs"


def test_a_click_sorts_and_a_third_one_puts_back(page: Path, tmp_path: Path) -> None:
    found, _ = ask(
        page,
        "const table = document.querySelectorAll('table.rows')[0];"
        "const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent.slice(0, 11));"
        "const click = (i) => table.tHead.rows[0].cells[i].querySelector('button').click();"
        "const said = (i) => table.tHead.rows[0].cells[i].getAttribute('aria-sort');"
        "found.first = names(); click(2); found.wide = names(); found.said = said(2);"
        "click(2); found.narrow = names(); click(2); found.again = names();"
        "click(0); click(0); found.named = names(); found.others = said(2);",
        tmp_path,
    )
    first = found["first"]
    assert found["wide"] == first
    assert found["said"] == "descending"
    assert found["narrow"] == first[::-1]
    assert found["again"] == first
    assert found["named"].index("features.2") < found["named"].index("features.10")
    assert found["others"] == "none"


@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_screen_but_what_scrolls(width: int, page: Path, tmp_path: Path) -> None:
    host = tmp_path / "host.html"
    host.write_text(
        f'<title></title><body><iframe width="{width}" srcdoc="{escape(page.read_text())}"></iframe></body>'
    )
    found, _ = ask(
        host,
        "addEventListener('load', () => { const inner = document.querySelector('iframe').contentDocument;"
        "found.wide = inner.documentElement.scrollWidth; document.title = JSON.stringify(found); });",
        tmp_path,
    )
    assert 0 < found["wide"] <= width


def test_light_and_dark_and_print(page: Path, tmp_path: Path) -> None:
    for name, flags in (("light", ()), ("dark", (DARK,))):
        screenshot(page, tmp_path / f"{name}.png", 1100, 800, *flags)
    light, dark = (np.asarray(cv2.imread(str(tmp_path / f"{name}.png"))).mean() for name in ("light", "dark"))
    assert light > 200
    assert dark < 60
