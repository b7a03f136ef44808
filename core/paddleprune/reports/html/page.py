"""The page: a template, filled in; it loads nothing, and its script is the only one that may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from paddleprune import __version__
from paddleprune.errors import SaveError
from paddleprune.files import read_bytes
from paddleprune.reports import format as text
from paddleprune.reports.html.headlines import Line, lines_of, table_of
from paddleprune.reports.html.known import Known
from paddleprune.reports.html.view import view
from paddleprune.reports.html.words import plain, visible

_MARK = "<!-- sha256 "
"""Before the digest of what stands above it: who edits the page doesn't lose that to the next one."""


def render(found: Sequence[Known]) -> str:
    """One page of one folder, or of several beside each other."""
    script, style = (_part(name) for name in ("script.js", "style.css"))
    models = [model for known in found for model in known.models]
    page = visible(
        _templates()
        .get_template("page.html")
        .render(
            title=plain(" · ".join(known.name for known in found)),
            views=[view(known, [] if len(found) == 1 else models) for known in found],
            beside=None if len(found) == 1 else table_of(_beside(found)),
            version=__version__,
            script=script,
            style=style,
            allowed=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        )
    )
    return f"{page}\n{_MARK}{_digest(page.encode())} -->\n"


def unedited(file: Path) -> bool:
    """Is a file a report as it was written?"""
    content, mark, digest = read_bytes(file, SaveError).rpartition(f"\n{_MARK}".encode())
    return bool(mark) and digest == f"{_digest(content)} -->\n".encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _beside(found: Sequence[Known]) -> list[Line]:
    """The models of all folders, each once."""
    everyone = [model for known in found for model in known.models]
    lines, seen = list[Line](), set[str]()
    for known in found:
        fresh = tuple(model for model in known.models if model.digest not in seen)
        lines += [line for line in lines_of(replace(known, models=fresh), everyone) if line not in lines]
        seen |= {model.digest for model in fresh}
    return lines


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8").strip()


def _percent(share: float) -> str:
    return "< 0.01%" if 0 < share < 5e-5 else f"{100 * share:.2f}%"


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["plain"] = plain
    found.filters["percent"] = _percent
    found.filters["change"] = lambda share: text.change(1 - share, 1)
    found.filters["dotted"] = lambda name: escape(name).replace(".", Markup(".<wbr>"))
    found.filters["begun"] = lambda line: line[:1].upper() + line[1:]
    return found
