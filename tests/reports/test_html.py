"""The page of a run: what is known is on it, what isn't is left out, and names are nothing but text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from runs import known, plan

from paddleprune.reports import Comparison, ComparisonRow
from paddleprune.reports.html.known import Known
from paddleprune.reports.html.page import render
from paddleprune.reports.html.shown import ROWS
from paddleprune.reports.html.svg import Scale, tag
from paddleprune.reports.html.words import plain, visible

GROUPS = ["features.0", "features.3", "fc"]
HOSTILE = "</td><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\"'&\u202e\x00"
VOID = {"meta", "img", "wbr"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its text, and whether all that was opened is closed."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.words.append(" ")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def headings(content: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", content)


@pytest.fixture
def rows(comparison: Comparison) -> tuple[ComparisonRow, ...]:
    """The two models of `runs`, measured."""
    dense, pruned = comparison.rows
    return dense.model_copy(update={"name": "lenet"}), pruned.model_copy(update={"name": "lenet_prune"})


def test_everything_that_is_known_is_shown(rows: tuple[ComparisonRow, ...]) -> None:
    content = render([known(GROUPS, rows=rows)])
    assert headings(content) == [
        *("Models", "What each size costs", "Where the network is sensitive", "What went from each group"),
        *("The repair, layer by layer", "Certificate", "In INT8", "Training", "Examples", "How to make it again"),
        "Model card",
    ]
    text = Page(content).text
    assert "700 k −70%" in text
    assert "36.0 ms" in text
    assert "0.9900 +0.0700 ± 0.0120" in text
    assert "before the repair cut 700 k −70% 144 M −54%" in text
    assert "0.8000" in text
    assert "Masked and shrunk outputs differ by at most 1.0e-07" in text
    assert "features.0 16 12 −25%" in text
    assert "50.00% 1.00%" in text
    assert "−1.0 40 ∞" in text
    assert 'data-tip="features.0, 60% removed\nmetric loss 40.00 ± 0.20 %\n50 samples"' in content
    assert "FP32 4.0 MB 2.00 ms 0.9500 INT8 2.0 MB −50% 1.00 ms −50% 0.9460 loss 0.0040 ± 0.0020, 0.015 allowed" in text
    assert "1 of 12 steps stay in float, the most sensitive first features.0 changes the outputs by 2.10%" in text
    assert "command paddleprune train classification --save-dir lenet_prune" in text
    assert "intended use" in text
    assert content.count('class="ring"') == 1


def test_what_is_not_known_is_left_out() -> None:
    whole = known(GROUPS)
    dense = Known(name="dense", models=(replace(whole.models[0], history=()),))
    content = render([dense])
    assert headings(content) == ["Models", "How to make it again", "Model card"]
    assert "FLOPs" not in Page(content).text
    beside = Known(name="measured", rows=()), Known(name="front", front=whole.front)
    assert headings(render(beside[1:])) == ["What each size costs"]
    assert headings(
        render([replace(whole, front=None, table=None, quantized=None, pictures=(), models=whole.models[1:])])
    )[:2] == [
        "Models",
        "What went from each group",
    ]


def test_a_cut_model_alone_stands_beside_what_its_plan_says_of_the_dense_one() -> None:
    whole = known(GROUPS)
    text = Page(render([replace(whole, models=whole.models[1:])])).text
    assert "before the cut dense 1.00 k 20.0 k" in text
    assert "lenet_prune retrained 400 −60% 10.0 k −50%" in text


def test_the_counts_of_a_dense_model_are_those_of_the_plan_that_was_made_of_it() -> None:
    whole = known(GROUPS)
    assert "lenet dense 1.00 k 20.0 k" in Page(render([whole])).text
    other = replace(whole.models[0], digest="another model's")
    assert "lenet dense – –" in Page(render([replace(whole, models=(other, whole.models[1]))])).text


def test_names_are_text_wherever_they_stand(rows: tuple[ComparisonRow, ...]) -> None:
    named = known([HOSTILE, *GROUPS], HOSTILE, rows=(rows[0].model_copy(update={"name": HOSTILE}), rows[1]))
    named = replace(named, front=named.front and named.front.model_copy(update={"metric": HOSTILE}))
    content = render([named, known(GROUPS)])
    page = Page(content)
    assert [name for name, _ in page.elements].count("script") == 1
    assert {name for name, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "article", "section", "p"),
        *("h1", "h2", "div", "strong", "small", "table", "thead", "tbody", "tr", "th", "td", "button", "ul", "li"),
        *("details", "summary", "dl", "dt", "dd", "figure", "figcaption", "img", "wbr", "script"),
        *("svg", "rect", "line", "text", "circle", "polyline"),
    }
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert {attributes.get("src", "data:")[:5] for _, attributes in page.elements if attributes} == {"data:"}
    assert not any("href" in attributes for _, attributes in page.elements)
    assert "\u202e" not in content
    assert "\x00" not in content
    without = content.replace("<wbr>", "").replace("https://evil.example/x", "")
    assert "http://" not in without
    assert "https://" not in without


def test_the_script_alone_may_run_and_nothing_may_be_loaded() -> None:
    content = render([known(GROUPS)])
    policy = next(a["content"] for n, a in Page(content).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", policy)
    assert "http" not in content.replace("http-equiv", "")


def test_a_large_network_makes_no_large_page() -> None:
    names = [f"backbone.stage{i // 100}.block{i}.conv" for i in range(3000)]
    content = render([known(names)])
    assert len(content) < 500_000
    assert (
        f"{3000 - ROWS} more groups aren&#39;t drawn" in content or f"{3000 - ROWS} more groups aren't drawn" in content
    )


def test_figures_that_are_no_numbers_break_nothing(rows: tuple[ComparisonRow, ...]) -> None:
    whole = known(GROUPS, rows=rows)
    bad = {"loss": float("nan"), "metrics": {"acc1": float("inf")}}
    broken = tuple(record.model_copy(update=bad) for record in whole.models[0].history)
    model = replace(
        whole.models[0], history=broken, info=whole.models[0].info.model_copy(update={"metrics": bad["metrics"]})
    )
    for models in ((model,), (model, whole.models[1])):
        assert "nan" not in Page(render([replace(whole, models=models, rows=())])).text
    far = rows[1].model_copy(update={"parameters": 10**400, "flops": 10**400, "file_bytes": 10**400})
    assert "lenet_prune retrained – – – 7.20 ms" in Page(render([replace(whole, rows=(rows[0], far))])).text
    infinite = whole.front and whole.front.model_copy(update={"baseline": float("inf")})
    assert "What each size costs" not in headings(render([replace(whole, front=infinite)]))


def test_several_runs_stand_side_by_side() -> None:
    one, other = known(GROUPS), replace(known(GROUPS), name="other")
    content = render([one, other])
    assert headings(content).count("Certificate") == 2
    first = content.index("<table")
    assert content[first : content.index("</table>")].count('<th scope="row"') == 3  # each model once


def test_a_dense_run_beside_a_cut_one_has_the_counts_that_the_plan_proves() -> None:
    dense, cut = (replace(known(GROUPS), models=(model,)).called(model.name) for model in known(GROUPS).models)
    text = Page(render([dense, cut])).text
    assert "before the cut" not in text
    assert text.count("lenet dense 1.00 k 20.0 k") == 2


def test_two_models_of_one_cut_share_its_sections() -> None:
    whole = known(GROUPS)
    cut = replace(whole.models[1], name="lenet_repaired", stage="cut and repaired")
    content = render([replace(whole, models=(whole.models[0], cut, whole.models[1]))])
    assert headings(content).count("Certificate") == 1
    assert "lenet_repaired, lenet_prune" in Page(content).text
    other = replace(cut, plan=plan(["another"]))
    assert headings(render([replace(whole, models=(other, whole.models[1]))])).count("Certificate") == 2


def test_svg_is_escaped_and_its_ticks_are_round() -> None:
    assert tag("text", "<b>", x=1.0, data_tip='"', class_="a") == (
        '<text x="1" data-tip="&#34;" class="a">&lt;b&gt;</text>'
    )
    assert Scale(0, 1, 0, 100).ticks(5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Scale(0.93, 0.97, 0, 1).ticks(4) == pytest.approx([0.93, 0.94, 0.95, 0.96, 0.97])


def test_text_is_a_line_that_can_be_read() -> None:
    assert visible("a\x00b\u202ec\ud800\n") == "a�b�c�\n"
    assert plain("x" * 200) == "x" * 99 + "…"
    assert plain("Größe 东京") == "Größe 东京"
