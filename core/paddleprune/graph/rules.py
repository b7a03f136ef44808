"""What each kind of operation does to channel atoms: one table, at the end of the file.

A rule takes the walker and the operation. It reads the atoms of the inputs, ties, fixes or moves them,
and puts those of the outputs. An operation without a rule protects what it touches, by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from paddleprune.graph.atoms import FIXED, Atoms
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker

Rule: TypeAlias = Callable[[Walker, Op], None]


def apply(walker: Walker, op: Op) -> None:
    """Apply the rule of an operation, or protect what it touches."""
    RULES.get(op.name, unknown)(walker, op)


def unknown(walker: Walker, op: Op) -> None:
    """No rule: everything that goes in is protected, and the outputs can't be cut."""
    for value in op.inputs:
        if value is not None:
            walker.fix(value, f"no rule for the operation {op.name} at {op.where}")
    walker.uncounted.add(op.name)


# -- own and read: parameters that make channels out of channels ----------------------------------


def convolution(walker: Walker, op: Op) -> None:
    """The filters own the output's channels, their slices read the input's."""
    x, weight, y = _present(op.inputs[0]), _present(op.inputs[1]), _present(op.outputs[0])
    if not walker.is_parameter(weight) or walker.is_parameter(x):
        return unknown(walker, op)
    transposed = "transpose" in op.name
    groups = op.attrs.get("groups", 1)
    channel = len(_shape(x)) - 1 if op.attrs.get("data_format", "NCHW").endswith("C") else 1
    read = walker.vector(x, channel, op)
    count_in, count_out = _shape(x)[channel], _shape(y)[channel]
    if groups == count_in and groups > 1:
        made = np.repeat(read, count_out // count_in)
        walker.note(weight, 0, "follow", read if transposed else made)
        if transposed and count_out != count_in:
            walker.table.fix(read, f"a transposed depthwise convolution with a multiplier at {op.where}")
    else:
        walker.read(weight, channel, read)
        made = walker.table.fresh(count_out)
        walker.table.tie_rows(made, groups)
        walker.table.tie_rows(read, groups)
        if transposed and groups > 1:
            walker.note(weight, 0, "read", read)
            walker.note(weight, 1, "own", made.reshape(groups, -1)[0])
        else:
            walker.note(weight, 0 if transposed else 1, "read", read.reshape(groups, -1)[0])
            walker.note(weight, 1 if transposed else 0, "own", made)
    spatial = math.prod(n for i, n in enumerate(_shape(x if transposed else y)) if i not in (0, channel))
    walker.use(weight, spatial)
    _put_along(walker, y, channel, made)


def linear(walker: Walker, op: Op) -> None:
    """A matrix product. With a parameter on the right, its columns own and its rows read."""
    x, weight, y = _present(op.inputs[0]), _present(op.inputs[1]), _present(op.outputs[0])
    if not walker.is_parameter(weight) or walker.is_parameter(x):
        return matrix_product(walker, op)
    if op.attrs.get("transpose_x") or len(_shape(weight)) != 2:
        return unknown(walker, op)
    row, column = (1, 0) if op.attrs.get("transpose_y") else (0, 1)
    read = walker.vector(x, -1, op)
    walker.note(weight, row, "read", read)
    walker.read(weight, len(_shape(x)) - 1, read)
    made = walker.table.fresh(_shape(weight)[column])
    walker.note(weight, column, "own", made)
    walker.use(weight, math.prod(_shape(x)[1:-1]))
    _put_along(walker, y, len(_shape(y)) - 1, made)


def matrix_product(walker: Walker, op: Op) -> None:
    """Of two activations: protects both."""
    for value in op.inputs:
        walker.fix(_present(value), f"a matrix product of activations at {op.where}")
    x, y = _present(op.inputs[0]), _present(op.outputs[0])
    inner = _shape(x)[-2 if op.attrs.get("transpose_x") and len(_shape(x)) > 1 else -1]
    walker.fixed_flops += math.prod(_shape(y)[1:]) * inner


# -- follow: one number a channel, or none ---------------------------------------------------------


def batch_norm(walker: Walker, op: Op) -> None:
    """Running mean, variance, scale and bias follow the channels."""
    x = _present(op.inputs[0])
    channel = len(_shape(x)) - 1 if op.attrs.get("data_format", "NCHW").endswith("C") else 1
    atoms = walker.vector(x, channel, op)
    for value in op.inputs[1:5]:
        if value is not None and walker.is_parameter(value):
            walker.note(value, 0, "follow", atoms)
    walker.put(op.outputs[0], walker.get(x))


def prelu(walker: Walker, op: Op) -> None:
    """A slope a channel follows it; a single slope is shared."""
    x, slope = _present(op.inputs[0]), _present(op.inputs[1])
    channel = len(_shape(x)) - 1 if op.attrs.get("data_format", "NCHW").endswith("C") else 1
    if walker.is_parameter(slope) and math.prod(_shape(slope)) > 1:
        walker.note(slope, 0, "follow", walker.vector(x, channel, op))
    walker.put(op.outputs[0], walker.get(x))


def follow(walker: Walker, op: Op) -> None:
    """Each position keeps its atom."""
    x = _present(op.inputs[0])
    for value in op.outputs[:1]:
        walker.put(value, walker.get(x))
        if value is not None and walker.is_parameter(x):
            walker.parameters[value.id] = walker.parameters[x.id]


def spatial(walker: Walker, op: Op) -> None:
    """Height and width change, channels stay: the atoms may vary along the batch or channel axis only."""
    x, y = _present(op.inputs[0]), _present(op.outputs[0])
    atoms = walker.get(x)
    before, after = _shape(x), _shape(y)
    if any(n > 1 and before[i] != after[i] for i, n in enumerate(atoms.shape)) or sum(n > 1 for n in atoms.shape) > 1:
        walker.fix(x, f"{op.name} at {op.where} mixes channels")
        atoms = np.full([1] * atoms.ndim, FIXED)
    walker.put(y, atoms)


# -- unify: several inputs, position by position ---------------------------------------------------


def pointwise(walker: Walker, op: Op) -> None:
    """Sum, product and the like: what meets stands or falls together."""
    out = _present(op.outputs[0])
    sides = [_present(value) for value in op.inputs[:2]]
    learned = [walker.is_parameter(side) for side in sides]
    if all(learned):
        return unknown(walker, op)
    if any(learned):
        parameter, x = sides if learned[0] else sides[::-1]
        _vector_follows(walker, op, parameter, x)
        return walker.put(out, _aligned(walker.get(x), out))
    a, b = (_aligned(walker.get(side), out) for side in sides)
    shape_a, shape_b = ((1,) * (len(_shape(out)) - len(_shape(side))) + _shape(side) for side in sides)
    if _is_gate(a, shape_a, b):
        return _gate(walker, op, sides[0], out, b)
    if _is_gate(b, shape_b, a):
        return _gate(walker, op, sides[1], out, a)
    walker.table.unite(a, b, f"{op.name} at {op.where} meets channels that can't be removed")
    walker.put(out, np.maximum(*np.broadcast_arrays(a, b)))


def _is_gate(gate: Atoms, shape: tuple[int, ...], other: Atoms) -> bool:
    """Is one side a single value along every axis where the other's atoms vary?"""
    varying = [i for i, n in enumerate(other.shape) if n > 1]
    return all(shape[i] == 1 for i in varying) and bool(varying or (gate == FIXED).all())


def _gate(walker: Walker, op: Op, gate: Value, out: Value, atoms: Atoms) -> None:
    walker.fix(gate, f"{op.name} at {op.where} spreads it over all channels")
    walker.put(out, atoms)


def _vector_follows(walker: Walker, op: Op, parameter: Value, x: Value) -> None:
    """A bias or a learned scale, maybe reshaped to [1, C, 1, 1], follows the channels that it meets."""
    name = walker.parameters[parameter.id]
    shape, long = walker.shapes[name], [i for i, n in enumerate(_shape(parameter)) if n > 1]
    own_long = [i for i, n in enumerate(shape) if n > 1]
    atoms = walker.get(x)
    for i, own in zip(long, own_long, strict=True):
        axis = i - len(_shape(parameter)) + len(_shape(x))
        if axis < 0 or (atoms.shape[axis] == 1 and atoms.size > 1):
            continue  # varies along an axis where the channels don't
        if _shape(x)[axis] == 1:
            walker.fix(x, f"{op.name} at {op.where} spreads it over all channels")
        else:
            walker.note(parameter, own, "follow", walker.vector(x, axis, op))


def _aligned(atoms: Atoms, out: Value) -> Atoms:
    """With leading axes of size 1, as broadcasting adds them."""
    return atoms.reshape([1] * (len(_shape(out)) - atoms.ndim) + list(atoms.shape))


# -- move: the same channels elsewhere -------------------------------------------------------------


def reshape(walker: Walker, op: Op) -> None:
    """Moves atoms. An axis that is cut into factors keeps the smaller one fixed (channel shuffle, heads)."""
    x, y = _present(op.inputs[0]), _present(op.outputs[0])
    if walker.is_parameter(x):
        name = walker.parameters[x.id]
        if [n for n in _shape(y) if n > 1] == [n for n in walker.shapes[name] if n > 1]:
            walker.parameters[y.id] = name
            return None
        return unknown(walker, op)
    atoms = walker.get(x)
    if (atoms == FIXED).all():
        return None
    for axes_in, axes_out in _factors(_shape(x), _shape(y)):
        varying = [i for i in axes_in if atoms.shape[i] > 1]
        sizes = [_shape(y)[i] for i in axes_out if _shape(y)[i] > 1]
        if varying and len(sizes) > 1 and len([i for i in axes_in if _shape(x)[i] > 1]) == 1:
            _tie_factors(walker, op, atoms, varying[0], sizes)
    return walker.put(y, walker.full(x).reshape(_shape(y)))


def _tie_factors(walker: Walker, op: Op, atoms: Atoms, axis: int, sizes: list[int]) -> None:
    """[C] -> [a, b]: what is removed is the same for every index of the smaller factor."""
    rows = np.moveaxis(atoms, axis, 0).reshape(atoms.shape[axis], -1)
    if len(sizes) > 2:
        return walker.table.fix(atoms, f"{op.name} at {op.where} cuts channels into more than two factors")
    grid = rows.reshape(sizes[0], sizes[1], -1)
    if sizes[0] > sizes[1]:
        grid = grid.swapaxes(0, 1)
    for part in grid[1:]:
        walker.table.unite(grid[0], part, "tied to a channel that can't be removed")
    return None


def _factors(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Which consecutive axes of a reshape hold the same positions: the finest such pairs."""
    pairs, i, j = [], 0, 0
    while i < len(before) or j < len(after):
        axes_in, axes_out, size_in, size_out = [], [], 1, 1
        while True:
            if i < len(before) and (size_in <= size_out or j >= len(after)):
                axes_in.append(i)
                size_in, i = size_in * before[i], i + 1
            elif j < len(after):
                axes_out.append(j)
                size_out, j = size_out * after[j], j + 1
            if size_in == size_out or (i >= len(before) and j >= len(after)):
                break
        pairs.append((axes_in, axes_out))
    return pairs


def transpose(walker: Walker, op: Op) -> None:
    """Axes trade places."""
    x = _present(op.inputs[0])
    if walker.is_parameter(x):
        return unknown(walker, op)
    return walker.put(op.outputs[0], walker.get(x).transpose(op.attrs["perm"]))


def concat(walker: Walker, op: Op) -> None:
    """One after the other along an axis."""
    y, axis = _present(op.outputs[0]), walker.constant(op.inputs[1])
    values = walker.lists.get(_present(op.inputs[0]).id)
    if values is None or axis is None:
        return unknown(walker, op)
    axis = _scalar(axis) % len(_shape(y))
    arrays = [walker.get(value) for value in values]
    common = np.broadcast_shapes(*((*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in arrays))
    parts = []
    for value, atoms in zip(values, arrays, strict=True):
        shape = list(common)
        shape[axis] = _shape(value)[axis]
        parts.append(np.broadcast_to(atoms, shape))
    if max(common) > 1:  # channels lie along another axis: the parts are tied position by position
        for part in parts[1:]:
            walker.table.unite(parts[0].take([0], axis), part.take([0], axis), f"{op.name} at {op.where}")
    return walker.put(y, np.concatenate(parts, axis))


def split(walker: Walker, op: Op) -> None:
    """Parts along an axis; equal parts lose the same channels, since the forward may compute their width."""
    x, axis = _present(op.inputs[0]), walker.constant(op.inputs[-1])
    if axis is None or walker.is_parameter(x):
        return unknown(walker, op)
    walker.parts[_present(op.outputs[0]).id] = (x, _scalar(axis) % len(_shape(x)))
    return None


def unpack(walker: Walker, op: Op) -> None:
    """A list to its values; of a `split`, the parts themselves."""
    source = _present(op.inputs[0])
    if source.id not in walker.parts:
        for out, value in zip(op.outputs, walker.lists.get(source.id, []), strict=False):
            if out is not None:
                walker.put(out, walker.get(value))
        return
    x, axis = walker.parts[source.id]
    atoms = walker.get(x)
    widths = [_shape(_present(out))[axis] for out in op.outputs]
    if atoms.shape[axis] == 1:
        pieces = [atoms] * len(widths)
    else:
        pieces = np.split(atoms, np.cumsum(widths)[:-1], axis)
        if len(set(widths)) == 1:
            for piece in pieces[1:]:
                walker.table.unite(pieces[0], piece, "tied to a part of the same split that can't be removed")
    for out, piece in zip(op.outputs, pieces, strict=True):
        walker.put(out, piece)


def pack(walker: Walker, op: Op) -> None:
    """Values to a list."""
    walker.lists[_present(op.outputs[0]).id] = [value for value in op.inputs if value is not None]


# -- reductions ------------------------------------------------------------------------------------


def reduce(walker: Walker, op: Op) -> None:
    """Over space: channels stay. Over channels: a zeroed channel isn't a missing one, so they are protected."""
    x, y = _present(op.inputs[0]), _present(op.outputs[0])
    axes = op.attrs.get("axis")
    if axes is None:
        axes = walker.constant(op.inputs[1]) if len(op.inputs) > 1 else []
    if axes is None or walker.is_parameter(x):
        return unknown(walker, op)
    rank = len(_shape(x))
    axes = [i % rank for i in np.atleast_1d(axes).astype(int).tolist()] or list(range(rank))
    atoms = walker.get(x)
    if any(atoms.shape[i] > 1 for i in axes) or len(axes) == rank:
        walker.fix(x, f"{op.name} over the channel axis at {op.where}")
        return None
    kept = [n for i, n in enumerate(atoms.shape) if i not in axes]
    return walker.put(y, atoms if len(_shape(y)) == rank else atoms.reshape(kept))


def softmax(walker: Walker, op: Op) -> None:
    """Along space: channels stay. Along channels: protected."""
    x = _present(op.inputs[0])
    atoms = walker.get(x)
    if atoms.shape[op.attrs.get("axis", -1)] > 1:
        walker.fix(x, f"{op.name} over the channel axis at {op.where}")
    walker.put(op.outputs[0], atoms)


# -- nothing to cut --------------------------------------------------------------------------------


def constant(walker: Walker, op: Op) -> None:
    """Made out of nothing."""
    walker.constants[_present(op.outputs[0]).id] = op.attrs.get("value")


def ignore(walker: Walker, op: Op) -> None:
    """Inputs of the network, and marks that compute nothing."""


def _present(value: Value | None) -> Value:
    if value is None:
        raise ValueError("an operation lacks a value that it can't do without")
    return value


def _shape(value: Value) -> tuple[int, ...]:
    if value.shape is None:
        raise ValueError("an operation got a list where it takes one tensor")
    return value.shape


def _scalar(value: object) -> int:
    return int(np.ravel(np.asarray(value))[0])


def _put_along(walker: Walker, value: Value, axis: int, atoms: Atoms) -> None:
    shape = [1] * len(_shape(value))
    shape[axis] = len(atoms)
    walker.put(value, atoms.reshape(shape))


def _table() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    kinds: list[tuple[Rule, str]] = [
        (convolution, "conv2d conv3d depthwise_conv2d conv2d_transpose conv3d_transpose depthwise_conv2d_transpose"),
        (linear, "matmul"),
        (matrix_product, "bmm"),
        (batch_norm, "batch_norm batch_norm_"),
        (prelu, "prelu"),
        (follow, "relu relu_ relu6 leaky_relu elu selu celu gelu silu swish mish hardswish hardsigmoid hardtanh"),
        (follow, "sigmoid tanh softplus softsign logsigmoid exp log sqrt rsqrt square abs pow clip sign"),
        (follow, "dropout assign share_data share_data_ cast scale scale_"),
        (spatial, "pool2d pool3d max_pool2d_with_index bilinear_interp nearest_interp bicubic_interp pad pad3d"),
        (pointwise, "add add_ subtract subtract_ multiply multiply_ divide maximum minimum"),
        (reshape, "reshape reshape_ flatten flatten_ squeeze squeeze_ unsqueeze unsqueeze_"),
        (transpose, "transpose"),
        (concat, "concat"),
        (split, "split split_with_num"),
        (pack, "builtin.combine"),
        (unpack, "builtin.split"),
        (reduce, "mean sum max min amax amin prod"),
        (softmax, "softmax log_softmax"),
        (constant, "full full_int_array full_"),
        (ignore, "data builtin.shadow_output fetch"),
    ]
    for rule, names in kinds:
        for name in names.split():
            rules[name] = rule
    return rules


RULES = _table()
