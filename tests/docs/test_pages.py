"""What the pages name is there: calls, messages and pages."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from pages import ROOT

import paddleprune
from paddleprune.plain_yaml import read_yaml

PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / "docs/recipes").glob("*.py")], ids=lambda page: page.stem)
def test_every_call_that_a_page_names_exists(page: Path) -> None:
    modules = {file.stem for file in (ROOT / "core/paddleprune").iterdir()}
    named = set(re.findall(r"\bpaddleprune\.([A-Za-z_]+)", page.read_text())) - modules
    assert named <= {*paddleprune.__all__, "exe", "yml"}, page


def test_every_message_that_is_explained_is_said_somewhere() -> None:
    text = (ROOT / "docs/questions.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", text[text.index("## What an error means") :], flags=re.MULTILINE)
    sources = [file.read_text() for file in (ROOT / "core/paddleprune").rglob("*.py")]
    assert len(rows) > 5
    for words in rows:
        assert any(words in source for source in sources), words


def test_every_page_is_in_the_site_s_menu() -> None:
    menu = str(read_yaml(ROOT / "mkdocs.yml", "the site", ValueError)["nav"])
    for page in PAGES:
        assert f"'{page.name}'" in menu, page.name


def anchors(page: Path) -> set[str]:
    """What a link into a page may end with: its headings, as GitHub writes them."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            there = page.parent / file if file else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("name", sorted(paddleprune.__all__))
def test_arguments_are_documented_one_by_one(name: str) -> None:
    call = getattr(paddleprune, name)
    if inspect.isfunction(call):
        described = (inspect.getdoc(call) or "").partition("Args:\n")[2].partition("\n\n")[0]
        named = [each.lstrip("*") for each in re.findall(r"^    (\S[^:]*):", described, flags=re.MULTILINE)]
        assert named == list(inspect.signature(call).parameters)
