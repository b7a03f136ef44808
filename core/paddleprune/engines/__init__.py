"""Layer + channel graph -> something that measures, plans and prunes: the native engine, or PaddleSlim."""

from __future__ import annotations

from paddle import nn

from paddleprune.engines.base import Engine as Engine
from paddleprune.engines.base import left_whole as left_whole
from paddleprune.engines.native import NativeEngine as NativeEngine
from paddleprune.engines.native import RankedGroup as RankedGroup
from paddleprune.errors import ConfigError
from paddleprune.graph import ChannelGraph
from paddleprune.interfaces import Scorer
from paddleprune.sensitivity import Importance, criterion_name
from paddleprune.settings import ENGINES, FILTER_CRITERIA, Criterion, EngineName
from paddleprune.validation import choose_from


def open_engine(
    name: EngineName, layer: nn.Layer, graph: ChannelGraph, criterion: Criterion | Scorer | Importance
) -> Engine:
    """The engine of that name for a layer.

    Args:
        name: "native" or "paddleslim".
        layer: the dense network that the graph was built from.
        graph: its channel graph.
        criterion: which units go first: the name of a criterion, a function of the user's own, or the units' scores.

    Raises:
        ConfigError: there is no engine or criterion of that name.
        DependencyError: the engine isn't installed.
        GraphError: the engine can't prune this network.
    """
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}{choose_from(name, ENGINES)}")
    called = criterion_name(criterion)
    if name == "native":
        return NativeEngine(layer, graph, criterion)
    known = next((choice for choice in FILTER_CRITERIA if choice == criterion), None)
    if known is None:
        raise ConfigError(f'PaddleSlim ranks by {", ".join(FILTER_CRITERIA)}, not by {called}; engine="native" can')
    from paddleprune.engines.slim import SlimEngine

    return SlimEngine(layer, graph, known)
