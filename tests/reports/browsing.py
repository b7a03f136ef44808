"""A page in Chromium without a window: what its console says, and what a script finds in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
_SECONDS = 300


def ask(page: Path, script: str, place: Path, *flags: str) -> tuple[dict[str, Any], str]:
    """What a script finds in a page once it is loaded, and what Chromium logged.

    Args:
        page: the file; of a copy alone the policy lets the script run.
        script: fills the object `found`.
        place: for the copy.
        flags: more of Chromium's.
    """
    content = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", page.read_text())
    answer = f"<script>const found = {{}};\n{script}\ndocument.title = JSON.stringify(found);</script>"
    copy = place / "asked.html"
    copy.write_text(content.replace("</body>", f"{answer}</body>"))
    done = _chromium(copy, "--dump-dom", "--enable-logging=stderr", *flags)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None, done.stderr
    return json.loads(unescape(title[1])), done.stderr


def console(page: Path, *flags: str) -> list[str]:
    """What the page as it is says on the console, errors and refusals of its policy among it."""
    done = _chromium(page, "--dump-dom", "--enable-logging=stderr", *flags)
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def screenshot(page: Path, picture: Path, width: int, height: int, *flags: str) -> None:
    """What the page looks like."""
    _chromium(page, f"--screenshot={picture}", f"--window-size={width},{height}", *flags)


def _chromium(page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *_FLAGS, *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
