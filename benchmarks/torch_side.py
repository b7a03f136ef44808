"""What Torch-Pruning would remove of a MobileNetV2: its weights carried over to PyTorch, and its choice back."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import paddle
from paddle import nn
from sides import Side
from trained import Opened

from paddleprune.engines import open_engine
from paddleprune.measure.evaluation import eager_forward
from paddleprune.solver import Ceiling, Costs, Order, UnitPath

STEPS = 100
"""In so many steps all goes that Torch-Pruning lets go, scored anew after each."""
_CLOSE = 1e-4


def torch_sides(work: Opened, costs: Costs) -> dict[str, Side]:
    """Its magnitude and Taylor importances, all groups ranked together, as its examples use them."""
    missing = [name for name in ("torch", "torch_pruning") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"  Torch-Pruning is left out: install {' and '.join(missing)} to have it")
        return {}
    if not isinstance(work.loaded.layer, paddle.vision.models.MobileNetV2):
        print("  Torch-Pruning is left out: only MobileNetV2 is carried over to PyTorch")
        return {}
    engine = open_engine("native", work.loaded.layer, work.graph, "l1")
    return {
        f"torch_{name}": (engine, UnitPath(work.graph, _order(work, name), costs, Ceiling({})))
        for name in ("magnitude", "taylor")
    }


def _order(work: Opened, importance: str) -> Order:
    """Units in the order in which Torch-Pruning removes them."""
    import torch
    import torch_pruning as tp

    layer, (images,) = work.loaded.layer, work.samples
    model = _ported(layer).eval()
    inputs = torch.from_numpy(images)
    (wanted,) = eager_forward(layer)((images,))
    assert float(np.abs(model(inputs).detach().numpy() - wanted).max()) < _CLOSE * float(np.abs(wanted).max())
    labels = torch.from_numpy(np.asarray([work.drawn[i][1] for i in range(len(work.drawn))], np.int64))
    scores = {"magnitude": tp.importance.MagnitudeImportance, "taylor": tp.importance.TaylorImportance}
    pruner = tp.pruner.BasePruner(
        model,
        inputs[:1],
        importance=scores[importance](),
        global_pruning=True,
        pruning_ratio=1.0,
        iterative_steps=STEPS,
        ignored_layers=[model.classifier[1]],
    )
    gone: dict[int, None] = {}
    alive = _filters(work)
    names = {module: name for name, module in model.named_modules()}
    for _ in range(STEPS):
        if importance == "taylor":
            model.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        for group in pruner.step(interactive=True):
            for dependency, indices in group:
                name = names.get(dependency.target.module, "")
                if name in alive and pruner.DG.is_out_channel_pruning_fn(dependency.handler):
                    gone |= dict.fromkeys(alive[name][indices].tolist())
                    alive[name] = np.delete(alive[name], indices)
            group.prune()
    return Order(tuple(gone), (0.0,) * len(gone), criterion="l1")


def _filters(work: Opened) -> dict[str, Any]:
    """Convolution -> the units of its filters."""
    return {
        axis.parameter.removesuffix(".weight"): axis.units
        for axis in work.graph.axes
        if axis.axis == 0 and len(work.graph.shapes[axis.parameter]) == 4
    }


def _ported(layer: nn.Layer) -> Any:
    """The same network in PyTorch, its modules under the same names."""
    import torch

    class Residual(torch.nn.Module):
        def __init__(self, branch: Any, adds: bool) -> None:
            super().__init__()
            self.conv, self.adds = branch, adds

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.adds else self.conv(x)

    class Network(torch.nn.Module):
        def __init__(self, features: Any, classifier: Any) -> None:
            super().__init__()
            self.features, self.classifier = features, classifier

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean((2, 3)))

    def module(part: nn.Layer) -> Any:
        if isinstance(part, nn.Conv2D):
            made, read = part.weight.shape[:2]
            options = {"stride": part._stride, "padding": part._padding, "groups": part._groups, "bias": False}
            return torch.nn.Conv2d(read * part._groups, made, part.weight.shape[2:], **options)
        if isinstance(part, nn.BatchNorm2D):
            return torch.nn.BatchNorm2d(part.weight.shape[0], part._epsilon)
        if isinstance(part, nn.Linear):
            return torch.nn.Linear(*part.weight.shape)
        if isinstance(part, nn.ReLU6):
            return torch.nn.ReLU6()
        if isinstance(part, nn.Dropout):
            return torch.nn.Dropout(part.p)
        if hasattr(part, "use_res_connect"):
            return Residual(module(part.conv), part.use_res_connect)
        return torch.nn.Sequential(*map(module, part.children()))

    network = Network(module(layer.features), module(layer.classifier))
    network.load_state_dict(dict(_weights(layer)), strict=False)
    return network


def _weights(layer: nn.Layer) -> Iterator[tuple[str, Any]]:
    import torch

    linear = {f"{name}.weight" for name, part in layer.named_sublayers() if isinstance(part, nn.Linear)}
    for name, tensor in layer.state_dict().items():
        values = torch.from_numpy(tensor.numpy())
        place = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
        yield place, values.T.contiguous() if name in linear else values
