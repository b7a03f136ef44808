"""The pages of the docs."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def code_blocks(text: str, language: str = "python") -> list[str]:
    """The code blocks of a Markdown text."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str = "python") -> list[str]:
    """The code blocks of a page, such as docs/guide.md."""
    return code_blocks((ROOT / page).read_text(), language)
