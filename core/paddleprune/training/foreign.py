"""Weights that another program saved: read as plain data, and given to the parameters that they belong to."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from paddle import nn
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors

from paddleprune.errors import CheckpointError, ConfigError
from paddleprune.files import read_bytes
from paddleprune.interfaces import Array
from paddleprune.training.exported import SUFFIX, read_exported, uses_of, weights_in
from paddleprune.unpickled import Arrays, Made, RefusedError, followed
from paddleprune.unpickled.arrays import Unfilled
from paddleprune.validation import choose_from

_PADDLE_S = "StructuredToParameterName@@"
"""Where Paddle says its own names of parameters."""
_INSIDE = ("model", "state_dict")
"""Where some suites put the weights, beside the optimizer's state."""
_TORCH = {"running_mean": "_mean", "running_var": "_variance"}
"""PyTorch's names of a norm's statistics -> Paddle's."""
_TORCH_ALONE = "num_batches_tracked"
_GIVE = "a .pdparams, .safetensors or .pdiparams"
_KINDS = ("weight", "bias", "_mean", "_variance")


@dataclass(frozen=True)
class Foreign:
    """What a file holds.

    Attributes:
        path: the file.
        sha256: of its content.
        arrays: name -> array, in the file's order; of an exported model, in the order in which its program uses them.
        torch: did PyTorch write it? Its linear layers have their weights transposed.
        kinds: of an exported model, name -> what its program uses it for.
    """

    path: Path
    sha256: str
    arrays: Mapping[str, Array]
    torch: bool = False
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """Which weights of a network a file has.

    Attributes:
        weights: the network's name -> array.
        by_order: of these, those that are only known by their shape and place: the network's name -> the file's.
        missing: names of the network that the file lacks, but for whole numbers: nothing learns them.
        unused: names of the file that the network lacks.
    """

    weights: dict[str, Array] = field(default_factory=dict)
    by_order: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def read_foreign(path: Path) -> Foreign:
    """Read a `.safetensors` file, what `paddle.save` wrote (`.pdparams`), or an exported model (`.pdiparams`).

    Nothing that a file names is run.

    Args:
        path: the file; or the folder of an exported model.

    Raises:
        CheckpointError: it can't be read, asks for anything but arrays and plain data, or holds no weights.
    """
    if path.is_dir():
        path = weights_in(path)
    content = read_bytes(path, CheckpointError)
    if path.suffix == SUFFIX:
        return _exported(content, path)
    torch = False
    if path.suffix == ".safetensors":
        try:
            found = dict(parse_safetensors(content))
            torch = _metadata(content).get("format") == "pt"
        except (SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path} is not a readable safetensors file ({error})") from error
    else:
        found = _pickled(content, path)
    if not found:
        raise CheckpointError(f"{path} holds no weights: a dict of arrays was expected, as paddle.save writes it")
    if torch:
        found = {_from_torch(name): array for name, array in found.items() if not name.endswith(_TORCH_ALONE)}
    return Foreign(path, hashlib.sha256(content).hexdigest(), found, torch)


def fit_foreign(layer: nn.Layer, file: Foreign, names: Mapping[str, str], shapes: Sequence[tuple[int, ...]]) -> Fitted:
    """Find each of a network's weights in a file.

    By name first; what is left by shape, kind and order, where the file has as many such as the network. An exported
    model says in which order it uses its weights, and for what; the network is traced, and the same is asked of it.

    Args:
        layer: the network.
        file: the weights.
        names: the network's name -> the file's, where they differ.
        shapes: shape of each input of the network, without the batch axis.

    Raises:
        ConfigError: a name in `names` is neither's.
        GraphError: an exported model's weights are to be found, and the network can't be traced.
    """
    state = layer.state_dict()
    wanted = {name: tuple(tensor.shape) for name, tensor in state.items()}
    learned = {name for name, tensor in state.items() if tensor.is_floating_point()}
    _check_names(names, wanted, file)
    linear = {f"{name}.weight" for name, sub in layer.named_sublayers() if isinstance(sub, nn.Linear)}
    found = Fitted()
    left = dict(file.arrays)
    for name, shape in wanted.items():
        theirs = names.get(name, name)
        array = _turned(left.get(theirs), file.torch and name in linear)
        if array is not None and array.shape == shape:
            found.weights[name] = array
            del left[theirs]
    places: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    for theirs, array in left.items():
        places[file.kinds.get(theirs, _kind(theirs)), array.shape].append(theirs)
    asking: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    kinds = uses_of(layer, shapes) if file.kinds and left else {}
    for name in sorted(wanted.keys() - found.weights.keys(), key=[*kinds, *wanted].index):
        turned = wanted[name][::-1] if file.torch and name in linear else wanted[name]
        asking[kinds.get(name, _kind(name)), turned].append(name)
    for key, mine in asking.items():
        if len(mine) == len(places[key]):
            found.by_order.update(zip(mine, places[key], strict=True))
    for name, theirs in found.by_order.items():
        array = _turned(left.pop(theirs), file.torch and name in linear)
        assert array is not None
        found.weights[name] = array
    missing = tuple(name for name in wanted if name not in found.weights and name in learned)
    return Fitted(found.weights, found.by_order, missing, tuple(left))


def _check_names(names: Mapping[str, str], wanted: Iterable[str], file: Foreign) -> None:
    for mine, theirs in names.items():
        if mine not in set(wanted):
            raise ConfigError(f"the network has no weight {mine!r}{choose_from(mine, set(wanted))}")
        if theirs not in file.arrays:
            raise ConfigError(f"{file.path} has no weight {theirs!r}{choose_from(theirs, set(file.arrays))}")


def _exported(content: bytes, path: Path) -> Foreign:
    """An exported model by structured names, if it has them: the old IR keeps them in a file beside."""
    read, info = read_exported(content, path), path.with_name(f"{path.name}.info")
    said = _followed(read_bytes(info, CheckpointError), info) if info.exists() else {}
    names = {name: _structured(said, name) for name in read.arrays}
    if len({*names.values()}) < len(names):
        raise CheckpointError(f"{info} gives two weights the same name; remove it, and they are found by their order")
    arrays = {names[name]: array for name, array in read.arrays.items()}
    return Foreign(
        path, hashlib.sha256(content).hexdigest(), arrays, kinds={names[n]: k for n, k in read.kinds.items()}
    )


def _structured(said: Any, name: str) -> str:
    about = said.get(name) if isinstance(said, dict) else None
    found = about.get("structured_name") if isinstance(about, dict) else None
    return found if isinstance(found, str) else name


def _pickled(content: bytes, path: Path) -> dict[str, Array]:
    made = _followed(content, path)
    if not isinstance(made, dict):
        return {}
    inside = next((made[name] for name in _INSIDE if isinstance(made.get(name), dict)), None)
    return _arrays(made) or _arrays(inside or {})


def _followed(content: bytes, path: Path) -> Made:
    try:
        return followed(content, Arrays(len(content)))
    except RefusedError as error:
        raise CheckpointError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises whatever it meets
        said = " ".join(str(error).split())[:100] or type(error).__name__
        raise CheckpointError(f"{path} is not a readable pickle ({said}); give {_GIVE}") from error


def _arrays(made: Mapping[object, object]) -> dict[str, Array]:
    """The entries that are arrays, or tensors, which Paddle saves as a name and an array."""
    found = {}
    for name, value in made.items():
        held = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        if name != _PADDLE_S and isinstance(held, Unfilled) and held.value is not None:
            found[str(name)] = np.asarray(held.value)
    return found


def _metadata(content: bytes) -> dict[str, str]:
    """What a safetensors file says of itself."""
    size = int.from_bytes(content[:8], "little")
    return dict(json.loads(content[8 : 8 + size]).get("__metadata__") or {})


def _from_torch(name: str) -> str:
    *above, last = name.removeprefix("module.").split(".")
    return ".".join([*above, _TORCH.get(last, last)])


def _turned(array: Array | None, turn: bool) -> Array | None:
    return np.ascontiguousarray(array.T) if turn and array is not None and array.ndim == 2 else array


def _kind(name: str) -> str:
    last = name.rsplit(".", 1)[-1]
    return last if last in _KINDS else ""
