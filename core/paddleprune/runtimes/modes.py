"""What runs an exported model on the CPU: Paddle Inference with or without oneDNN, ONNX Runtime, OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from paddleprune.dependencies import require
from paddleprune.errors import ConfigError
from paddleprune.interfaces import Array
from paddleprune.machine.cpu import block_channels
from paddleprune.settings import RUNTIMES, RuntimeName, TimingSettings
from paddleprune.validation import choose_from

if TYPE_CHECKING:
    from paddle import nn

Mode = Literal["onednn_on", "onednn_off", "onnxruntime", "openvino"]
"""How a model is run, in reports."""


class Session(Protocol):
    """A model that is loaded."""

    @property
    def inputs(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape of each input that is read; -1 is any size."""

    @property
    def names(self) -> Sequence[str]:
        """Of the outputs, in order."""

    def feed(self, arrays: Mapping[str, Array]) -> None:
        """Set every input, by its name; needed before each run, which may reuse their memory."""

    def run(self) -> None:
        """Compute the outputs."""

    def outputs(self) -> list[Array]:
        """What the last run computed, in the order of the model's outputs."""


@dataclass(frozen=True)
class Runtime:
    """One way to run a model.

    Attributes:
        name: what a user calls it.
        title: what reports call it.
        library: the name of the library, for people.
        needs: the modules that write and run its files.
        write: writes a layer for it, as `export_model` does.
        load: opens what was written with (path without suffix, threads).
        onednn: whether oneDNN is on; None where there is no such switch.
    """

    name: RuntimeName
    title: str
    library: str
    needs: tuple[str, ...]
    write: Callable[..., Any]
    load: Callable[[Path, int], Session]
    onednn: bool | None = None

    @property
    def version(self) -> str:
        """Of the library that is installed."""
        return str(require(self.needs[-1], self.library).__version__).partition("-")[0]

    @property
    def installed(self) -> bool:
        """Is everything there that it needs?"""
        return all(util.find_spec(module) for module in self.needs)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Channels that the CPU may take at once here, the most first."""
        return (1,) if self.onednn is False else block_channels()

    def describe(self) -> str:
        """Library, version and mode: with the CPU and the threads, what a time depends on."""
        mode = "" if self.onednn is None else f", {self.title}"
        return f"{self.library} {self.version}{mode}"

    def check(self) -> None:
        """Make sure that it can be used.

        Raises:
            DependencyError: something isn't installed; the message says what to install.
        """
        for module in self.needs:
            require(module, f"latency in {self.library}")


class _Paddle:
    """Paddle Inference."""

    def __init__(self, path: Path, threads: int, *, onednn: bool) -> None:
        from paddleprune.runtimes.inference import create_predictor

        self._predictor = create_predictor(path, onednn=onednn, threads=threads)
        self._given = {name: self._predictor.get_input_handle(name) for name in self._predictor.get_input_names()}
        self.inputs = {name: tuple(handle.shape()) for name, handle in self._given.items()}
        self.names = list(self._predictor.get_output_names())

    def feed(self, arrays: Mapping[str, Array]) -> None:
        for name, handle in self._given.items():
            handle.copy_from_cpu(np.ascontiguousarray(arrays[name]))

    def run(self) -> None:
        self._predictor.run()

    def outputs(self) -> list[Array]:
        return [self._predictor.get_output_handle(name).copy_to_cpu() for name in self.names]


class _OnnxRuntime:
    """ONNX Runtime's own kernels for the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors alone
        self._session = onnxruntime.InferenceSession(f"{path}.onnx", options, providers=["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        self.inputs = {given.name: tuple(map(_size, given.shape)) for given in self._session.get_inputs()}
        self.names = [output.name for output in self._session.get_outputs()]

    def feed(self, arrays: Mapping[str, Array]) -> None:
        self._kept = {name: np.ascontiguousarray(arrays[name]) for name in self.inputs}  # it is bound, not copied
        for name, array in self._kept.items():
            self._binding.bind_cpu_input(name, array)
        self._binding.clear_binding_outputs()  # or the last run's are taken, of the last batch's size
        for name in self.names:
            self._binding.bind_output(name)

    def run(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def outputs(self) -> list[Array]:
        return list(self._binding.copy_outputs_to_cpu())


class _OpenVino:
    """OpenVINO's plugin for the CPU, in float32: on some CPUs it would take bfloat16 by itself."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        how = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        model = openvino.Core().compile_model(f"{path}.onnx", "CPU", how)
        self._tensor, self._request = openvino.Tensor, model.create_infer_request()
        shapes = {given.any_name: given.partial_shape for given in model.inputs}
        self.inputs = {
            name: tuple(-1 if size.is_dynamic else size.get_length() for size in shape)
            for name, shape in shapes.items()
        }
        self.names = [made.any_name for made in model.outputs]

    def feed(self, arrays: Mapping[str, Array]) -> None:
        self._kept = {name: np.ascontiguousarray(arrays[name]) for name in self.inputs}
        for name, array in self._kept.items():
            self._request.set_tensor(name, self._tensor(array, shared_memory=True))

    def run(self) -> None:
        self._request.infer(share_outputs=True)

    def outputs(self) -> list[Array]:
        return [np.array(self._request.get_output_tensor(i).data) for i in range(len(self.names))]


def _size(given: Any) -> int:
    return given if isinstance(given, int) else -1


def _write_paddle(*what: Any, **how: Any) -> Any:
    from paddleprune.exports.inference_files import export_model

    return export_model(*what, **how)


def _write_onnx(*what: Any, **how: Any) -> Any:
    from paddleprune.exports.onnx import export_onnx

    return export_onnx(*what, **how)


def _paddle(title: str, *, onednn: bool) -> Runtime:
    return Runtime("paddle", title, "Paddle", ("paddle",), _write_paddle, partial(_Paddle, onednn=onednn), onednn)


def _onnx(name: RuntimeName, title: str, load: Callable[[Path, int], Session]) -> Runtime:
    return Runtime(name, title, title, ("paddle2onnx", name), _write_onnx, load)


MODES: Mapping[Mode, Runtime] = {
    "onednn_on": _paddle("oneDNN on", onednn=True),
    "onednn_off": _paddle("oneDNN off", onednn=False),
    "onnxruntime": _onnx("onnxruntime", "ONNX Runtime", _OnnxRuntime),
    "openvino": _onnx("openvino", "OpenVINO", _OpenVino),
}
"""Mode -> what runs it so. Another runtime is another line here."""


def mode_of(asked: TimingSettings) -> Mode:
    """How a network is run whose latency somebody asks for."""
    return next(
        mode
        for mode, runtime in MODES.items()
        if runtime.name == asked.runtime and runtime.onednn in (None, asked.onednn)
    )


def modes_of(names: Iterable[str]) -> list[Mode]:
    """The modes of some runtimes, in the order of reports.

    Args:
        names: of runtimes; "all" are those that are installed.

    Raises:
        ConfigError: there is no such runtime.
        DependencyError: one isn't installed.
    """
    wanted, known = set(names), (*RUNTIMES, "all")
    if not wanted:
        raise ConfigError(f"name at least one runtime: {', '.join(known)}")
    unknown = next((name for name in sorted(wanted) if name not in known), None)
    if unknown is not None:
        raise ConfigError(f"unknown runtime {unknown!r}{choose_from(unknown, known)}")
    everything = "all" in wanted
    found = [mode for mode, run in MODES.items() if run.name in wanted or (everything and run.installed)]
    for mode in found:
        MODES[mode].check()
    return found


def write_for(
    modes: Iterable[Mode], layer: nn.Layer, shapes: Sequence[tuple[int, ...]], path: Path, batch: int = 1
) -> None:
    """Write a layer for each of some modes.

    Args:
        modes: what will run it.
        layer: is left as it was.
        shapes: of its inputs, without the batch axis.
        path: of the files, without suffix.
        batch: samples a run.

    Raises:
        GraphError: it can't be exported.
    """
    for write in dict.fromkeys(MODES[mode].write for mode in modes):
        write(layer, shapes, path, batch=batch)
