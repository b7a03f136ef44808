"""A head that only training uses: a trace sees it, so that it is cut with what it reads; it costs nothing."""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from paddleprune.graph import build_graph
from paddleprune.pruning.surgery import shrink


class WithHead(nn.Layer):
    def __init__(self, head: bool) -> None:
        super().__init__()
        self.body = nn.Conv2D(3, 8, 3)
        self.out = nn.Conv2D(8, 2, 1)
        self.head = nn.Conv2D(8, 2, 1) if head else None

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        x = nn.functional.relu(self.body(x))
        if self.head is None or (not self.training and paddle.in_dynamic_mode()):
            return self.out(x)
        scores = [self.out(x), self.head(x)]
        return scores if self.training else scores[0]


SHAPE = [(1, 3, 9, 9)]


def test_it_is_cut_with_what_it_reads() -> None:
    layer = WithHead(head=True)
    shrink(layer, build_graph(layer, SHAPE), build_graph(layer, SHAPE)["body"].units[:5])
    assert layer.head.weight.shape == [2, 3, 1, 1]
    layer.train()
    assert [list(y.shape) for y in layer(paddle.randn([4, 3, 9, 9]))] == [[4, 2, 7, 7]] * 2


def test_it_costs_no_flops_and_needs_no_mask() -> None:
    with_head, without = (build_graph(WithHead(head), SHAPE) for head in (True, False))
    assert with_head.cost().flops == without.cost().flops
    assert len(with_head.reads) == len(without.reads) == 2
