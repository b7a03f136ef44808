"""What oneDNN fails at is written with other operations that compute the same, and that it computes rightly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from paddle import nn

from paddleprune.exports.inference_files import export_model
from paddleprune.exports.paddlex_ops import for_onednn
from paddleprune.proofs.proof import Fed, prove
from paddleprune.runtimes.modes import MODES

SHAPE = (3, 11, 13)


class Resized(nn.Layer):
    """A convolution, and its map at other sizes: larger, smaller, by factors; then one more layer that reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.last = nn.Conv2D(3, 4, 3, padding=1), nn.Conv2D(4, 2, 3)

    def forward(self, image: Any) -> Any:
        x = F.leaky_relu(self.convolution(image), 0.2)
        return (
            self.last(F.interpolate(x, (22, 40), mode="bilinear")),
            F.interpolate(x, (5, 13), mode="bilinear"),
            F.interpolate(x, (22, 40), mode="bilinear", align_mode=1),
            F.interpolate(x, scale_factor=[1.7, 2], mode="bilinear"),
            self.last(F.interpolate(x, scale_factor=2, mode="nearest")),
            F.interpolate(x, (7, 30), mode="nearest"),
            F.leaky_relu(x, -0.3),
        )


def test_the_same_is_computed_with_and_without_onednn(tmp_path: Path) -> None:
    before = dict(vars(paddle._C_ops))
    layer = Resized()
    layer.eval()
    with for_onednn():
        (program, _) = export_model(layer, [SHAPE], tmp_path / "model")
    assert dict(vars(paddle._C_ops)) == before
    written = program.read_text()
    assert not any(name in written for name in ("_interp", "leaky_relu"))
    for mode in ("onednn_on", "onednn_off"):
        outputs, proof = prove(layer, tmp_path / "model", MODES[mode], Fed.of([SHAPE], None))  # type: ignore[index]
        assert len(outputs) == 7
        assert proof.probe.largest < 1e-5


@pytest.mark.parametrize("more", [{"align_corners": True}, {"data_format": "NHWC"}])
def test_what_has_no_other_way_stays(more: dict[str, Any]) -> None:
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 4, 5, 6), np.float32))
    expected = F.interpolate(x, (8, 9), mode="bilinear", **more).numpy()
    with for_onednn():
        np.testing.assert_array_equal(F.interpolate(x, (8, 9), mode="bilinear", **more).numpy(), expected)
