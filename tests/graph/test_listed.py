"""Every weight is listed with the true reason, and counted: computed ones, those inside `if`, those without a rule."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import paddle
import paddle.nn.functional as F  # noqa: N812
import pytest
from paddle import nn

from paddleprune.graph import build_graph, explain, rules
from paddleprune.pruning import protect_hard_coded

SHAPE = [(2, 3, 8, 8)]


class Net(nn.Layer):
    """Two convolutions around what is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.mid, self.c = nn.Conv2D(3, 16, 1), nn.Conv2D(16, 8, 1), nn.Conv2D(8, 4, 1)

    def middle(self, x: Any) -> Any:
        return self.mid(x)

    def forward(self, x: Any) -> Any:
        return self.c(F.relu(self.middle(F.relu(self.a(x)))))


class WeightNorm(Net):
    def __init__(self) -> None:
        super().__init__()
        nn.utils.weight_norm(self.mid)


class SpectralNorm(Net):
    def __init__(self) -> None:
        super().__init__()
        nn.utils.spectral_norm(self.mid)


class Slice(Net):
    def __init__(self) -> None:
        super().__init__()
        self.mid = nn.Conv2D(16, 11, 1)

    def middle(self, x: Any) -> Any:
        return F.conv2d(x, self.mid.weight[:8])


class Quantized(Net):
    def middle(self, x: Any) -> Any:
        weight = self.mid.weight
        scale = weight.abs().max() / 127
        return F.conv2d(x, paddle.round(weight / scale) * scale)


class Dynamic(Net):
    def __init__(self) -> None:
        super().__init__()
        self.choose, self.mid = nn.Linear(16, 3), nn.Linear(3, 8 * 16)

    def middle(self, x: Any) -> Any:
        weight = self.mid(F.softmax(self.choose(x.mean([0, 2, 3]))))
        return F.conv2d(x, weight.reshape([8, 16, 1, 1]))


class PlainList(Net):
    def __init__(self) -> None:
        super().__init__()
        self.mids = [self.mid]
        del self.mid

    def middle(self, x: Any) -> Any:
        return self.mids[0](x)


class NoRule(Net):
    def middle(self, x: Any) -> Any:
        return F.conv2d(x, paddle.i0(self.mid.weight), self.mid.bias)


class LinearWithoutRule(Net):
    def __init__(self) -> None:
        super().__init__()
        self.mid = nn.Linear(16, 8)

    def middle(self, x: Any) -> Any:
        return (x.transpose([0, 2, 3, 1]) @ paddle.i0(self.mid.weight)).transpose([0, 3, 1, 2])


CASES = [
    (WeightNorm, "mid.weight_v", r"computed in the forward from mid.weight_v: paddle.nn.utils.remove_weight_norm"),
    (SpectralNorm, "mid.weight_orig", "computed in the forward from mid.weight_orig: train without spectral norm"),
    (Slice, "mid", "computed in the forward from mid.weight: hold the part as a parameter of its own"),
    (Quantized, "mid", "computed in the forward from mid.weight: store the result as the parameter"),
    (Dynamic, "mid", "and the input, for each input anew"),
    (PlainList, None, "no parameter of the network: hold layers in nn.LayerList"),
    (NoRule, "mid", "computed in the forward from mid.weight"),
    (LinearWithoutRule, "mid", "no rule for the operation i0"),
]


@pytest.mark.parametrize(("kind", "name", "words"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_computed_weight(kind: type[nn.Layer], name: str | None, words: str) -> None:
    layer = kind()
    layer.eval()
    graph = build_graph(layer, SHAPE)
    by_name = {group.name: group for group in graph.groups}
    assert {"a", "c", *([name] if name else [])} <= by_name.keys() | {"c"}
    assert words.replace("\\", "") in f"{by_name['a'].protected} {by_name[name or 'a'].protected}"
    assert "conv2d" not in graph.uncounted
    if kind is not LinearWithoutRule:
        assert graph.cost().flops >= 64 * (3 * 16 + 16 * 8 + 8 * 4)
    protect_hard_coded(layer, graph)


class Branches(nn.Layer):
    """PP-YOLOE+'s blocks: a learned number decides, so that Paddle traces both branches."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.c = nn.Conv2D(3, 16, 1), nn.Conv2D(8, 4, 1)
        self.one, self.two, self.three = nn.Conv2D(16, 8, 1), nn.Conv2D(16, 8, 1), nn.Conv2D(4, 6, 1)
        self.last, self.alpha = nn.Conv2D(6, 2, 1), self.create_parameter([1])

    def forward(self, x: Any) -> Any:
        x = self.a(x)
        if self.alpha > 0:  # noqa: SIM108 (as it is written there)
            y = self.one(x) + self.alpha * self.two(x)
        else:
            y = self.one(x) + self.two(x)
        return self.last(self.three(self.c(y)))


def test_layers_inside_branches_are_listed_and_counted_once() -> None:
    graph = build_graph(Branches(), SHAPE)
    explanation = explain(graph)
    by_name = {group.name: group for group in explanation.groups}
    assert by_name["one"].stay == 16  # with `two`, which is added to it
    assert "if at test_listed.py" in (by_name["one"].protected or "")
    assert explanation.total_flops == 64 * (3 * 16 + 2 * 16 * 8 + 8 * 4 + 4 * 6 + 6 * 2)
    assert (by_name["c"].filters, by_name["three"].filters) == (4, 6)
    assert "10 of 44 filters can go" in str(explanation)


class Partly(nn.Layer):
    """Three of the channels that `p` makes meet the image."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.p = nn.Conv2D(3, 16, 1), nn.Conv2D(19, 8, 1), nn.Conv2D(19, 19, 1)

    def forward(self, x: Any) -> Any:
        y = paddle.concat([self.a(x), x], axis=1)
        return self.b(self.p(y) + y)


def test_a_group_of_which_a_part_stays_says_why() -> None:
    (group, _) = explain(build_graph(Partly(), SHAPE)).groups
    assert (group.filters, group.stay, group.counts) == (32, 3, "32 of 35")
    assert re.match(r"3 filters stay: add at test_listed.py:\d+ meets channels that can't be removed", group.remark)
    assert group.remark in str(explain(build_graph(Partly(), SHAPE)))


def test_inexact_and_protected_are_both_said() -> None:
    layer = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Linear(16, 4))
    graph = build_graph(layer, [(2, 8)], inexact=True)
    (group, _) = explain(graph.protecting({"0": "the forward hard-codes its width"})).groups
    assert group.remark.startswith("protected: the forward hard-codes its width; measured shrunk: layer_norm at")
    assert (group.filters, group.stay) == (0, 16)


def test_every_reason_stands_in_the_table_of_reasons() -> None:
    root = Path(rules.__file__).parent.parent
    docs = (Path(__file__).parents[2] / "docs" / "graph.md").read_text(encoding="utf8")
    table = docs.partition("## Why a group is protected")[2].partition("\n## ")[0]
    told = [part for row in table.splitlines() if row.startswith("| ") for part in row.split("|")[1].split(";")]
    words = [re.sub(r"[…`]|\[.*?\]", " ", part).split() for part in told]
    files = [*root.glob("*.py"), *root.glob("rules/*.py"), *root.parent.glob("pruning/*.py")]
    reasons = [(file.name, reason) for file in files for reason in _reasons(file)]
    assert len(reasons) > 40
    for file, reason in reasons:
        assert any(_within(some, reason.split()) for some in words if some), f"{file}: {reason}"


def _within(some: list[str], reason: list[str]) -> bool:
    """Do these words stand in a reason, in order?"""
    rest = iter(reason)
    return all(word in rest for word in some)


def _reasons(file: Path) -> list[str]:
    """What a module says when it protects something: the texts that it gives to `fix`, `unite`, `lose` and the like."""
    found = [_text(part) for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))) for part in _said(node, file)]
    return [text for text in found if len(text.replace("X", "").split()) > 1 and "doesn't run" not in text]


def _said(node: ast.AST, file: Path) -> list[ast.expr]:
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return node.args if called in ("fix", "unite", "blur", "lose", "only_along", "Beside") else []
    if isinstance(node, ast.Assign):
        return [node.value] if getattr(node.targets[0], "id", "") in ("reason", "_TIED", "ALONE") else []
    returned = isinstance(node, ast.Return) and node.value is not None
    return [node.value] if returned and file.name == "hardcoded.py" else []


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
