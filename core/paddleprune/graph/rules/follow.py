"""Follow: one number a channel, or none; height and width may change."""

from __future__ import annotations

import math

import numpy as np

from paddleprune.graph.atoms import Track
from paddleprune.graph.rules.common import (
    NotCovered,
    attribute,
    channel_axis,
    only_along,
    present,
    shape_of,
    silenced,
)
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


def same(walker: Walker, op: Op) -> None:
    """Each position keeps its atom, and zero stays zero: relu(0) = 0."""
    _keep(walker, op, zero=True)


def shifted(walker: Walker, op: Op) -> None:
    """Each position keeps its atom, but zero doesn't stay zero: sigmoid(0) = 0.5."""
    _keep(walker, op, zero=False)


def identity(walker: Walker, op: Op) -> None:
    """The same value; a parameter stays a parameter, unless it is one that the forward writes."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    if len(op.inputs) > 1 and walker.is_parameter(op.inputs[1]):
        for value in (x, present(op.inputs[1])):
            walker.fix(value, f"{op.name} at {op.where} writes it into a parameter")
    if walker.is_parameter(x):
        walker.views[y.id] = walker.views[x.id]
    elif x.id in walker.constants:
        walker.constants[y.id] = walker.constants[x.id]
        walker.put(y, walker.get(x), walker.loose_axes(x))
    else:
        _keep(walker, op, zero=True)


def scale(walker: Walker, op: Op) -> None:
    """Times a number plus a number."""
    _keep(walker, op, zero=not attribute(op, "bias", 0.0))


def clip(walker: Walker, op: Op) -> None:
    """Between two numbers, zero stays zero if it lies between them."""
    low, high = (walker.constant(value) for value in op.inputs[1:3])
    _keep(walker, op, zero=low is not None and high is not None and float(low) <= 0 <= float(high))


def power(walker: Walker, op: Op) -> None:
    """To a power that isn't negative or zero, zero stays zero."""
    _keep(walker, op, zero=attribute(op, "y", 0.0) > 0)


def _keep(walker: Walker, op: Op, zero: bool) -> None:
    x, y = present(op.inputs[0]), present(op.outputs[0])
    walker.put(y, silenced(walker.get(x), zero), walker.loose_axes(x))


def prelu(walker: Walker, op: Op) -> None:
    """A slope a channel follows it; a single slope is shared."""
    x, slope = present(op.inputs[0]), present(op.inputs[1])
    if walker.is_parameter(slope) and math.prod(shape_of(slope)) > 1:
        walker.note(slope, 0, "follow", walker.vector(x, channel_axis(op, x), op)[0].atoms)
    walker.put(op.outputs[0], walker.get(x))


def spatial(walker: Walker, op: Op) -> None:
    """Height and width change, channels stay."""
    x = present(op.inputs[0])
    kept = only_along(walker, op, x, (0, channel_axis(op, x)), "mixes positions")
    for value in op.outputs[:2]:
        walker.put(value, kept)


def unpool(walker: Walker, op: Op) -> None:
    """Values and where they belong: both lie along the same channels."""
    x, places = present(op.inputs[0]), present(op.inputs[1])
    atoms, _ = walker.vector(x, 1, op)
    other, _ = walker.vector(places, 1, op)
    walker.table.unite(atoms.atoms, other.atoms, f"{op.name} at {op.where} meets channels that can't be removed")
    walker.put(op.outputs[0], only_along(walker, op, x, (0, 1), "mixes positions"))


def pad3d(walker: Walker, op: Op) -> None:
    """Height, width and depth grow; a border of another number than zero is no longer zero."""
    x = present(op.inputs[0])
    kept = only_along(walker, op, x, (0, channel_axis(op, x)), "mixes positions")
    border = attribute(op, "mode", "constant") == "constant" and attribute(op, "pad_value", 0.0) != 0
    walker.put(op.outputs[0], silenced(kept, not border))


def pad(walker: Walker, op: Op) -> None:
    """Any axis grows by a border; channels of zeros that appear beside others stay."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    widths = [int(n) for n in op.attrs["paddings"]]
    before = [*zip(widths[::2], widths[1::2], strict=True)]
    border = walker.constant(op.inputs[1])
    tracks = []
    for track in walker.get(x):
        around = [pair if i in track.axes else (0, 0) for i, pair in enumerate(before)]
        elsewhere = any(any(pair) for i, pair in enumerate(before) if i not in track.axes)
        zero = not elsewhere or (border is not None and float(np.ravel(border)[0]) == 0)
        tracks.append(Track(np.pad(track.atoms, around), track.zero and zero))
    walker.put(y, tracks)


def sample(walker: Walker, op: Op) -> None:
    """Positions are picked by another value, which can't be cut: grid_sample, roi_align."""
    x = present(op.inputs[0])
    for value in op.inputs[1:]:
        if value is not None and walker.touches(value):
            walker.fix(value, f"{op.name} at {op.where} samples where it says")
    walker.put(op.outputs[0], only_along(walker, op, x, (1,), "mixes positions"))


def batch_norm(walker: Walker, op: Op) -> None:
    """Running mean, variance, scale and bias follow the channels."""
    x = present(op.inputs[0])
    channel = channel_axis(op, x)
    here, rest = walker.vector(x, channel, op)
    _parameters_follow(walker, op.inputs[1:5], here)
    _put_normalized(walker, op, channel, here, rest, op.inputs[3], zero=False)


def instance_norm(walker: Walker, op: Op) -> None:
    """Statistics of one channel of one image: scale and bias follow."""
    x = present(op.inputs[0])
    here, rest = walker.vector(x, 1, op)
    _parameters_follow(walker, op.inputs[1:3], here)
    only_along(walker, op, x, (0, 1), "mixes positions")
    _put_normalized(walker, op, 1, here, rest, op.inputs[1], zero=here.zero)


def group_norm(walker: Walker, op: Op) -> None:
    """Statistics of a group of channels: exact where a group is one channel; the groups keep equal width."""
    x = present(op.inputs[0])
    channel, groups = channel_axis(op, x), int(op.attrs["groups"])
    here, rest = walker.vector(x, channel, op)
    _parameters_follow(walker, op.inputs[1:3], here)
    only_along(walker, op, x, (0, channel), "mixes positions")
    if groups < len(here.atoms):
        walker.table.tie_rows(here.atoms, groups)
        walker.table.blur(here.atoms, f"{op.name} at {op.where}: a group's statistics change with its channels")
    _put_normalized(walker, op, channel, here, rest, op.inputs[1], zero=here.zero)


def layer_norm(walker: Walker, op: Op) -> None:
    """Statistics over channels, which change with them."""
    x = present(op.inputs[0])
    shape, first = shape_of(x), int(attribute(op, "begin_norm_axis", len(shape_of(x)) - 1))
    tracks = []
    if not any(i >= first for track in walker.get(x) for i in track.axes):
        _parameters_follow(walker, op.inputs[1:3], Track(np.zeros(math.prod(shape[first:]), np.int64)))
    for track in walker.get(x):
        if not any(i >= first for i in track.axes):
            tracks.append(track)
            continue
        if any(i < first for i in track.axes):
            walker.table.fix(track.atoms, f"{op.name} at {op.where} reads channels that lie along several axes")
            continue
        walker.table.blur(track.atoms, f"{op.name} at {op.where}: its statistics change with the channels")
        over = np.broadcast_to(track.atoms.reshape(track.atoms.shape[first:]), shape[first:]).ravel()
        _parameters_follow(walker, op.inputs[1:3], Track(over))
        tracks.append(Track(track.atoms, False))
    walker.put(op.outputs[0], tracks)


def _parameters_follow(walker: Walker, values: tuple[Value | None, ...], track: Track) -> None:
    for value in values:
        if value is None:
            continue
        if not walker.is_parameter(value):
            raise NotCovered
        walker.note(value, 0, "follow", track.atoms)


def _put_normalized(
    walker: Walker,
    op: Op,
    channel: int,
    here: Track,
    rest: tuple[Track, ...],
    learned: Value | None,
    zero: bool,
) -> None:
    """With a learned scale and bias the output is zero where they are; other tracks lose that."""
    walker.put_along(
        present(op.outputs[0]), channel, here.atoms, [Track(t.atoms, False) for t in rest], zero or learned is not None
    )


def flip(walker: Walker, op: Op) -> None:
    """Back to front, also what is left of them."""
    x, axes = present(op.inputs[0]), [int(i) for i in np.atleast_1d(op.attrs["axis"])]
    walker.put(
        op.outputs[0], [Track(np.flip(t.atoms, tuple(axes)), t.zero) for t in walker.get(x)], walker.loose_axes(x)
    )


def roll(walker: Walker, op: Op) -> None:
    """Positions along some axes move on by some places, and around."""
    x = present(op.inputs[0])
    axes = [int(i) % len(shape_of(x)) for i in np.atleast_1d(op.attrs["axis"])]
    for track in walker.get(x):
        if track.axes & set(axes):
            walker.table.fix(track.atoms, f"{op.name} at {op.where} reorders channels")
    walker.put(op.outputs[0], [track for track in walker.get(x) if not track.axes & set(axes)], walker.loose_axes(x))


def uniform(walker: Walker, op: Op) -> None:
    """One number everywhere: adapts to whatever width it meets."""
    y = present(op.outputs[0])
    if "value" in op.attrs:
        walker.constants[y.id] = op.attrs["value"]
    walker.put(y, (), range(len(shape_of(y))))


def uniform_like(walker: Walker, op: Op) -> None:
    """One number everywhere, as wide as the value whose shape it has."""
    x, y = present(op.inputs[0]), present(op.outputs[0])
    number = walker.constants[y.id] = walker.constant(op.inputs[1])
    walker.put(y, silenced(walker.get(x), number is not None and not np.any(number)), walker.loose_axes(x))


def assigned(walker: Walker, op: Op) -> None:
    """Numbers that the forward holds."""
    walker.constants[present(op.outputs[0]).id] = op.attrs.get("values")


def ignore(walker: Walker, op: Op) -> None:
    """Inputs of the network, what is made out of nothing or of sizes, and marks that compute nothing."""
