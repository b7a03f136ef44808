"""A network -> the same network in INT8, as an ONNX file whose sensitive steps stay in float."""

from typing import TYPE_CHECKING

from paddleprune.lazily import exported

if TYPE_CHECKING:
    from paddleprune.quantization.bench import RUNTIME as RUNTIME
    from paddleprune.quantization.bench import Bench as Bench
    from paddleprune.quantization.bench import time_files as time_files
    from paddleprune.quantization.calibration import METHOD as METHOD
    from paddleprune.quantization.network import PURPOSE as PURPOSE
    from paddleprune.quantization.network import Step as Step
    from paddleprune.quantization.record import Calibration as Calibration
    from paddleprune.quantization.record import Figures as Figures
    from paddleprune.quantization.record import LeftStep as LeftStep
    from paddleprune.quantization.record import Quantized as Quantized
    from paddleprune.quantization.search import fewest as fewest
    from paddleprune.quantization.search import within as within
    from paddleprune.quantization.sensitivity import rank_steps as rank_steps
    from paddleprune.quantization.writing import weight_bits as weight_bits
else:
    __getattr__ = exported(
        __name__,
        {
            **dict.fromkeys(("RUNTIME", "Bench", "time_files"), "bench"),
            "METHOD": "calibration",
            **dict.fromkeys(("PURPOSE", "Step"), "network"),
            **dict.fromkeys(("Calibration", "Figures", "LeftStep", "Quantized"), "record"),
            **dict.fromkeys(("fewest", "within"), "search"),
            "rank_steps": "sensitivity",
            "weight_bits": "writing",
        },
    )
