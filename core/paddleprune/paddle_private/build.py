"""How the installed Paddle was built."""

from __future__ import annotations

import paddle


def has_onednn() -> bool:
    """Was it built with oneDNN?"""
    core = paddle.base.core
    asked = core.is_compiled_with_onednn if hasattr(core, "is_compiled_with_onednn") else core.is_compiled_with_mkldnn
    return bool(asked())  # Paddle 3.1 has the older name
