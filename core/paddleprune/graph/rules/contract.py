"""Products that sum over an axis: linear layers, attention, einsum. One rule, in the notation of einsum."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from paddleprune.graph.atoms import Atoms, Track
from paddleprune.graph.channels import Product
from paddleprune.graph.rules import unify
from paddleprune.graph.rules.common import NotCovered, attribute, present, shape_of
from paddleprune.graph.trace import Op, Value
from paddleprune.graph.walker import Walker


@dataclass(frozen=True)
class Contraction:
    """A product of two tensors.

    Attributes:
        op: the operation.
        reader: the operation whose operands the two are: `op`, or what packed them into a list for it.
        values: the two tensors.
        letters: a name for each axis of each of them; the axes of one name are multiplied with each other.
        out: the result.
        result: the names of its axes; what isn't named there is summed over.
    """

    op: Op
    reader: Op
    values: tuple[Value, Value]
    letters: tuple[list[str], list[str]]
    out: Value
    result: list[str]

    @property
    def batch(self) -> frozenset[str]:
        """Axes that both have and the result keeps."""
        return frozenset(self.letters[0]) & frozenset(self.letters[1]) & frozenset(self.result)

    def axis_of(self, letter: str) -> int:
        """Where the result has an axis."""
        return self.result.index(letter)


def matmul(walker: Walker, op: Op) -> None:
    """[..., i, k] by [..., k, j]; with a parameter on one side its axes read and own."""
    x, y = present(op.inputs[0]), present(op.inputs[1])
    left, right = _letters(len(shape_of(x)), "ik"), _letters(len(shape_of(y)), "kj")
    if attribute(op, "transpose_x", False) and len(left) > 1:
        left[-2:] = left[:-3:-1]
    if attribute(op, "transpose_y", False) and len(right) > 1:
        right[-2:] = right[:-3:-1]
    _contract(walker, _matrices(op, (x, y), (left, right)))


def addmm(walker: Walker, op: Op) -> None:
    """The product of two matrices, and something added to it."""
    bias, x, y, out = (present(value) for value in (*op.inputs, op.outputs[0]))
    _contract(walker, _matrices(op, (x, y), (_letters(len(shape_of(x)), "ik"), _letters(len(shape_of(y)), "kj"))))
    unify.added(walker, replace(op, inputs=(out, bias)))


def _matrices(op: Op, values: tuple[Value, Value], letters: tuple[list[str], list[str]]) -> Contraction:
    result = [f"b{n}" for n in range(max(map(len, letters)) - 2, 0, -1)]
    result += [letter for letter in "ij" if letter in letters[0] + letters[1]]
    return Contraction(op, op, values, letters, present(op.outputs[0]), result)


def einsum(walker: Walker, op: Op) -> None:
    """Any product of two tensors."""
    packed = walker.packed.get(present(op.inputs[0]).id)
    before, arrow, after = str(op.attrs["equation"]).replace(" ", "").partition("->")
    terms = before.split(",")
    if packed is None or len(packed.inputs) != 2 or not arrow or "." in before:
        raise NotCovered
    if any(len(set(term)) != len(term) for term in terms):
        raise NotCovered
    x, y = present(packed.inputs[0]), present(packed.inputs[1])
    letters = (list(terms[0]), list(terms[1]))
    _contract(walker, Contraction(op, packed, (x, y), letters, present(op.outputs[0]), list(after)))


def _letters(rank: int, last: str) -> list[str]:
    """Names of axes: of the two that are multiplied, and of those before, counted from the right."""
    if rank == 1:
        return ["k"]
    return [f"b{n}" for n in range(rank - 2, 0, -1)] + list(last)


def _contract(walker: Walker, c: Contraction) -> None:
    for value, names in zip(c.values, c.letters, strict=True):
        for i, size in enumerate(shape_of(value)):
            if size == 1 and names[i] in c.result and shape_of(c.out)[c.axis_of(names[i])] != 1:
                names[i] = f"one {i} of {value.id}"  # broadcast: nothing lies along it
    learned = [walker.is_parameter(value) for value in c.values]
    if any(learned):
        _weigh(walker, c, 1 if learned[1] else 0)  # of two parameters the first takes an activation's place
    else:
        _multiply(walker, c)


def _weigh(walker: Walker, c: Contraction, w: int) -> None:
    """An activation by a parameter: axes that vanish read, axes that appear own, axes that stay follow."""
    x, weight, of_x, of_w = c.values[1 - w], c.values[w], c.letters[1 - w], c.letters[w]
    walker.put(x, [_summed(walker, track, of_x, of_w, c) for track in walker.get(x)], walker.loose_axes(x))
    tracks: list[Track] = []
    for i, letter in enumerate(of_w):
        if letter in of_x:
            here, _ = walker.vector(x, of_x.index(letter), c.op)
            walker.note(weight, i, "follow" if letter in c.result else "read", here.atoms)
            if letter not in c.result:
                walker.read(c.reader, c.reader.inputs.index(x), of_x.index(letter), here.atoms)
        elif letter in c.result:
            made = walker.table.fresh(shape_of(weight)[i])
            walker.note(weight, i, "own", made)
            tracks.append(_along(made, c.axis_of(letter), len(c.result)))
        else:
            walker.note(weight, i, "follow", np.zeros(shape_of(weight)[i], np.int64))
    for track in walker.get(x):
        gone = [of_x[i] for i in track.axes if of_x[i] not in c.result]
        if not gone:
            tracks.append(_carried(track, of_x, c.result))
        elif len(track.axes) > 1 or gone[0] not in of_w:
            walker.table.fix(track.atoms, f"{c.op.name} at {c.op.where} sums over channels on several axes")
    positions = [n for n, letter in zip(shape_of(x), of_x, strict=True) if letter not in of_w]
    shared = len(of_x) > 1 and of_x[0] not in of_w
    walker.use(weight, math.prod(positions[1:] if shared else positions))  # of one image: without the batch axis
    walker.put(c.out, tracks)


def _summed(walker: Walker, track: Track, of_x: list[str], of_w: list[str], c: Contraction) -> Track:
    """A track whose parameter has an axis for the groups too: the same channels go from each of them."""
    axes = sorted(track.axes)
    gone = [i for i in axes if of_x[i] not in c.result]
    if len(axes) == 1 or len(gone) != 1 or any(of_x[i] not in of_w for i in axes):
        return track
    grid = track.atoms.reshape([track.atoms.shape[i] for i in axes])
    return _along(walker.regular(grid, axes.index(gone[0])), gone[0], len(of_x), track.zero)


def _multiply(walker: Walker, c: Contraction) -> None:
    """Two activations: what they share stands or falls together; the sum must read zero where a channel is masked."""
    sides = [_by_letter(walker, c, side) for side in (0, 1)]
    tracks: list[Track] = []
    cut: dict[str, Atoms] = {}
    for letter in dict.fromkeys(c.letters[0] + c.letters[1]):
        found = [side[letter] for side in sides if letter in side]
        if not any(track.atoms.any() for track in found):
            continue
        if len(found) == 2:
            reason = f"{c.op.name} at {c.op.where} meets channels that can't be removed"
            walker.table.unite(found[0].atoms, found[1].atoms, reason)
        track = Track(found[0].atoms, any(part.zero and bool(part.atoms.any()) for part in found))
        cut[letter] = track.atoms
        if letter in c.result:
            tracks.append(_along(track.atoms, c.axis_of(letter), len(c.result), track.zero))
        else:
            side = 0 if letter in c.letters[0] else 1
            operand = c.reader.inputs.index(c.values[side])
            walker.read_plain(c.reader, operand, c.letters[side].index(letter), track)
    walker.put(c.out, tracks)
    sizes = dict(zip(c.letters[0] + c.letters[1], shape_of(c.values[0]) + shape_of(c.values[1]), strict=True))
    first = c.result[0] if len(c.result) > 1 else None  # the batch axis
    fixed = math.prod(n for letter, n in sizes.items() if letter not in cut and letter != first)
    walker.multiply(Product(fixed, tuple(cut.values())))


def _by_letter(walker: Walker, c: Contraction, side: int) -> dict[str, Track]:
    """The vector along each axis; heads and what is in them are tied as the walker's attention says."""
    value, names = c.values[side], c.letters[side]
    found = {letter: Track(np.zeros(n, np.int64)) for letter, n in zip(names, shape_of(value), strict=True)}
    for track in walker.get(value):
        chosen, atoms = _one_axis(walker, c, track, names)
        previous = found[names[chosen]]
        if previous.atoms.any():
            walker.table.unite(previous.atoms, atoms, f"{c.op.name} at {c.op.where} can't cut one and keep the other")
        found[names[chosen]] = Track(atoms, track.zero or (previous.zero and bool(previous.atoms.any())))
    return found


def _one_axis(walker: Walker, c: Contraction, track: Track, names: list[str]) -> tuple[int, Atoms]:
    """The axis along which a track is cut, and its vector: of heads and offsets in them, what attention loses."""
    axes = sorted(track.axes)
    heads = [i for i in axes if names[i] in c.batch]
    within = [i for i in axes if names[i] not in c.batch]
    if len(axes) == 1:  # one head, or heads of one number
        walker.heads.append(("heads" if heads else "dims", track.atoms.reshape(-1, 1)))
        return axes[0], track.atoms.ravel()
    grid = track.atoms.reshape([track.atoms.shape[i] for i in axes])
    if len(heads) == 1 and len(within) == 1:
        chosen = heads[0] if walker.attention == "heads" else within[0]
        walker.heads.append((walker.attention, grid if chosen == axes[0] else grid.T))
        return chosen, walker.regular(grid, axes.index(chosen))
    reason = f"{c.op.name} at {c.op.where} multiplies channels that lie along several axes"
    walker.table.fix(track.atoms, reason)
    return axes[0], np.zeros(grid.shape[0], np.int64)


def _along(atoms: Atoms, axis: int, rank: int, zero: bool = True) -> Track:
    shape = [1] * rank
    shape[axis] = len(atoms)
    return Track(atoms.reshape(shape), zero)


def _carried(track: Track, names: list[str], result: list[str]) -> Track:
    """A track of an operand on the result's axes."""
    axes = sorted(track.axes, key=lambda i: result.index(names[i]))
    shape = [1] * len(result)
    for i in axes:
        shape[result.index(names[i])] = track.atoms.shape[i]
    others = [i for i in range(track.atoms.ndim) if i not in axes]
    return Track(track.atoms.transpose([*axes, *others]).reshape(shape), track.zero)
