"""A network and what its tensors hold -> an ONNX file in INT8 (QDQ)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from paddleprune.dependencies import require
from paddleprune.errors import GraphError, said_by
from paddleprune.machine.cpu import saturates
from paddleprune.quantization.calibration import Ranges
from paddleprune.quantization.network import PURPOSE, FoldedNetwork, quiet


def weight_bits() -> int:
    """Bits of a weight: a CPU whose sums of products saturate gets one less."""
    return 7 if saturates() else 8


def write_int8(network: FoldedNetwork, ranges: Ranges, target: Path, *, nodes: Collection[str]) -> None:
    """Write a network with some of its nodes in INT8, all others in float.

    Activations are unsigned with a zero point, weights signed and symmetric, with a scale for each output channel.

    Args:
        network: in float.
        ranges: of its tensors.
        target: the file.
        nodes: the names of those in INT8.

    Raises:
        GraphError: ONNX Runtime's tools can't.
    """
    onnx, tools = require("onnx", PURPOSE), require("onnxruntime.quantization", PURPOSE)
    kinds = sorted({name.partition(".")[0] for name in nodes})
    with quiet():
        try:
            quantizer = tools.QDQQuantizer(
                onnx.load(str(network.file)),
                per_channel=True,
                reduce_range=weight_bits() < 8,
                weight_qType=tools.QuantType.QInt8,
                activation_qType=tools.QuantType.QUInt8,
                tensors_range=ranges,
                nodes_to_quantize=list(nodes),
                nodes_to_exclude=[],
                op_types_to_quantize=kinds,
                extra_options={},
            )
            quantizer.quantize_model()
            quantizer.model.save_model_to_file(str(target))
        except Exception as error:  # it has its own
            raise GraphError(f"cannot quantise the network: {said_by(error)}") from error
