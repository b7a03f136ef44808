"""A compiled layer gives what the layer gives, and is only used where that pays."""

import numpy as np
import paddle
from paddle import nn

from paddleprune.measure.compiled import compiled_forward, compiling_pays
from paddleprune.measure.evaluation import eager_forward


class Pair(nn.Layer):
    """Two inputs, two outputs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2D(3, 8, 3), nn.Linear(4, 2)

    def forward(self, x, y):
        return {"map": nn.functional.relu(self.a(x)), "vector": self.b(y)}


def inputs(count, seed=0):
    generator = np.random.default_rng(seed)
    return tuple(generator.standard_normal((count, *shape)).astype("float32") for shape in ((3, 9, 9), (4,)))


def test_any_number_of_samples_gives_the_eager_outputs_in_order():
    paddle.seed(0)
    layer = Pair()
    compiled = compiled_forward(layer, inputs(4))
    for count in (4, 3, 1):
        for wanted, found in zip(eager_forward(layer)(inputs(count)), compiled(inputs(count)), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_it_stays_as_it_was_when_the_layer_changes():
    paddle.seed(0)
    layer = nn.Linear(4, 2)
    x = (np.ones((2, 4), "float32"),)
    compiled = compiled_forward(layer, x)
    before = compiled(x)[0]
    layer.weight.set_value(paddle.zeros_like(layer.weight))
    np.testing.assert_array_equal(compiled(x)[0], before)


def test_little_or_odd_data_is_run_eagerly():
    layer = nn.Linear(4, 2)
    assert not compiling_pays(layer, (np.ones((2, 4), "float32"),), 1)
    assert not compiling_pays(nn.Embedding(9, 4), (np.ones((2, 3), "int64"),), 100_000)
    assert not compiling_pays(layer, ([np.ones((2, 4), "float32")],), 100_000)
