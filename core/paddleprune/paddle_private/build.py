"""How the installed Paddle was built."""

from __future__ import annotations

import paddle


def has_onednn() -> bool:
    """Was it built with oneDNN?"""
    return bool(paddle.base.core.is_compiled_with_onednn())
