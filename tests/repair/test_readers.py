"""A layer's output is what is read of its input times what is read of its weight."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.repair.readers import inputs_at, matrices, outputs_at, positions_of, set_matrices

LAYERS = {
    "linear": (lambda: nn.Linear(6, 4), (5, 6)),
    "linear on a vector": (lambda: nn.Linear(6, 4), (6,)),
    "linear on tokens": (lambda: nn.Linear(6, 4, bias_attr=False), (3, 7, 6)),
    "conv": (lambda: nn.Conv2D(6, 4, 3), (2, 6, 8, 9)),
    "strided": (lambda: nn.Conv2D(6, 4, 3, stride=2, padding=1), (2, 6, 8, 9)),
    "oblong": (lambda: nn.Conv2D(6, 4, (1, 5), stride=(2, 1), padding=(0, 2), dilation=(1, 2)), (2, 6, 8, 19)),
    "padded on each side": (lambda: nn.Conv2D(6, 4, 3, padding=[0, 1, 2, 3]), (2, 6, 8, 9)),
    "padded in pairs": (lambda: nn.Conv2D(6, 4, 3, padding=[[0, 0], [0, 0], [1, 0], [2, 3]]), (2, 6, 8, 9)),
    "same": (lambda: nn.Conv2D(6, 4, 3, stride=2, padding="SAME"), (2, 6, 8, 9)),
    "valid": (lambda: nn.Conv2D(6, 4, 3, padding="VALID"), (2, 6, 8, 9)),
    "reflected": (lambda: nn.Conv2D(6, 4, 3, padding=2, padding_mode="reflect"), (2, 6, 8, 9)),
    "replicated": (lambda: nn.Conv2D(6, 4, 3, padding=1, padding_mode="replicate"), (2, 6, 8, 9)),
    "circular": (lambda: nn.Conv2D(6, 4, 3, padding=1, padding_mode="circular"), (2, 6, 8, 9)),
    "grouped": (lambda: nn.Conv2D(6, 4, 3, groups=2, padding=1), (2, 6, 8, 9)),
    "depthwise": (lambda: nn.Conv2D(6, 12, 3, groups=6, padding=2, dilation=2), (2, 6, 8, 9)),
    "channels last": (lambda: nn.Conv2D(6, 4, 3, padding=1, data_format="NHWC"), (2, 8, 9, 6)),
    "1d": (lambda: nn.Conv1D(6, 4, 3, padding=1, stride=2), (2, 6, 9)),
    "1d, padded on each side": (lambda: nn.Conv1D(6, 4, 3, padding=[1, 2]), (2, 6, 9)),
    "3d": (lambda: nn.Conv3D(6, 4, (1, 3, 2), padding=1), (2, 6, 4, 5, 6)),
    "transposed": (lambda: nn.Conv2DTranspose(6, 4, 3, stride=2, padding=1), (2, 6, 5, 7)),
    "transposed, grouped": (
        lambda: nn.Conv2DTranspose(6, 4, 4, stride=3, padding=1, output_padding=1, groups=2, dilation=2),
        (2, 6, 5, 7),
    ),
    "transposed 1d": (lambda: nn.Conv1DTranspose(6, 4, 4, stride=2), (2, 6, 5)),
    "transposed 3d": (lambda: nn.Conv3DTranspose(6, 4, 2, stride=2), (2, 6, 3, 4, 2)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_a_product_of_matrices(kind):
    paddle.seed(0)
    make, shape = LAYERS[kind]
    layer, value = make(), paddle.randn(shape)
    output = layer(value).numpy()
    total = positions_of(layer, output)
    rows = np.sort(np.random.default_rng(0).choice(total, min(total, 40), replace=False))
    made = inputs_at(layer, value.numpy(), output, rows) @ matrices(layer)
    bias = 0 if layer.bias is None else layer.bias.numpy()
    flat = made.transpose(1, 0, 2).reshape(len(rows), -1) + bias
    np.testing.assert_allclose(flat, outputs_at(layer, output, rows), rtol=1e-4, atol=1e-5)
    before = layer.weight.numpy()
    set_matrices(layer, matrices(layer))
    np.testing.assert_array_equal(layer.weight.numpy(), before)
