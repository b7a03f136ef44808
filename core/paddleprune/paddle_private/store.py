"""What processes that Paddle has connected tell each other, beside tensors."""

from __future__ import annotations

from typing import Any

import paddle


def common_store() -> Any:
    """A dictionary that all of them share, with `add`, `set` and `get`; the first one keeps it."""
    return paddle.base.core.create_or_get_global_tcp_store()
