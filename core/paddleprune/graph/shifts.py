"""Where a constant that is added to the output of a layer without bias can go: into the batch norm behind it."""

from __future__ import annotations

from collections import Counter

from paddleprune.graph.trace import Op, Trace

_NORMS = ("batch_norm_", "batch_norm", "sync_batch_norm_")


def find_shifts(traced: Trace) -> dict[str, str]:
    """Weight -> the running mean of the batch norm that alone reads what the weight makes.

    Subtracting a vector from that mean adds it to the output of the weight's layer. Weights that are used twice, and
    those whose output something else reads, too, are left out.
    """
    weights = Counter(name for op in traced.ops for name in _names(op, traced))
    readers = Counter(value.id for op in traced.ops for value in op.inputs if value is not None)
    readers.update(value.id for value in traced.outputs)
    makers = {value.id: op for op in traced.ops for value in op.outputs if value is not None}
    found: dict[str, str] = {}
    for norm in traced.ops:
        if norm.name not in _NORMS or norm.inputs[0] is None or norm.inputs[1] is None:
            continue
        maker = makers.get(norm.inputs[0].id)
        mean = traced.parameters.get(norm.inputs[1].id)
        made_of = _names(maker, traced) if maker is not None and _channels(maker) == _channels(norm) else []
        alone = readers[norm.inputs[0].id] == 1 and len(made_of) == 1 and weights[made_of[0]] == 1
        if alone and mean is not None and weights[mean] == 1:
            found[made_of[0]] = mean
    return found


def _channels(op: Op) -> int:
    """The axis along which the channels lie of what a layer with weights, or a norm, gives."""
    made = op.outputs[0]
    last = len(made.shape) - 1 if made is not None and made.shape is not None else -1
    layout = str(op.attrs.get("data_format", "matrices: NC"))
    return last if layout.endswith("C") else 1


def _names(op: Op, traced: Trace) -> list[str]:
    read = [value for value in op.inputs if value is not None and value.id in traced.parameters]
    return [traced.parameters[value.id] for value in read]
