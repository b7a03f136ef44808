"""paddleprune prunes the channels of any Paddle model, and proves that what it cut is what it measured.

Names are imported when they are first used, so that importing this package is instant.
"""

from typing import TYPE_CHECKING, Any

from paddleprune.lazily import exported

__version__ = "0.1.0"

if TYPE_CHECKING:
    from paddleprune.api.analyze import analyze as analyze
    from paddleprune.api.catalog import families as families
    from paddleprune.api.catalog import plugins as plugins
    from paddleprune.api.catalog import tasks as tasks
    from paddleprune.api.compare import compare as compare
    from paddleprune.api.demo import demo as demo
    from paddleprune.api.evaluate import evaluate as evaluate
    from paddleprune.api.explain import explain as explain
    from paddleprune.api.export import export as export
    from paddleprune.api.front import front as front
    from paddleprune.api.import_table import import_table as import_table
    from paddleprune.api.import_weights import ImportedWeights as ImportedWeights
    from paddleprune.api.import_weights import import_weights as import_weights
    from paddleprune.api.latency import latency as latency
    from paddleprune.api.layer.compare import compare_layers as compare_layers
    from paddleprune.api.layer.cuts import LayerPlan as LayerPlan
    from paddleprune.api.layer.cuts import load_plan as load_plan
    from paddleprune.api.layer.cuts import load_shrunk as load_shrunk
    from paddleprune.api.layer.cuts import shrink as shrink
    from paddleprune.api.layer.graph import LayerGraph as LayerGraph
    from paddleprune.api.layer.graph import analyze_layer as analyze_layer
    from paddleprune.api.layer.graph import trace as trace
    from paddleprune.api.layer.plans import plan as plan
    from paddleprune.api.layer.prune import prune_layer as prune_layer
    from paddleprune.api.merge import merge as merge
    from paddleprune.api.new_plugin import new_plugin as new_plugin
    from paddleprune.api.predict import predict as predict
    from paddleprune.api.prune import PruneResult as PruneResult
    from paddleprune.api.prune import prune as prune
    from paddleprune.api.quantize import quantize as quantize
    from paddleprune.api.report import report as report
    from paddleprune.api.sample_data import sample_data as sample_data
    from paddleprune.api.scoring import score_units as score_units
    from paddleprune.api.train import train as train
    from paddleprune.api.visualize import visualize as visualize
    from paddleprune.errors import PaddlePruneError as PaddlePruneError
    from paddleprune.graph.rules import op_rule as op_rule
    from paddleprune.hookspecs import hookimpl as hookimpl
    from paddleprune.interfaces import Dataset as Dataset
    from paddleprune.interfaces import Metric as Metric
    from paddleprune.interfaces import Predictor as Predictor
    from paddleprune.specs import Contract as Contract
    from paddleprune.specs import DatasetConfig as DatasetConfig
    from paddleprune.specs import Demo as Demo
    from paddleprune.specs import FamilyInfo as FamilyInfo
    from paddleprune.specs import FamilyOptions as FamilyOptions
    from paddleprune.specs import ImageOptions as ImageOptions
    from paddleprune.specs import TaskInfo as TaskInfo

_HOMES = {
    **{name: f"api.{name}" for name in ("analyze", "compare", "demo", "evaluate", "explain", "export")},
    **{name: f"api.{name}" for name in ("front", "import_table", "latency", "merge", "new_plugin", "predict", "prune")},
    **{name: f"api.{name}" for name in ("quantize", "report", "sample_data", "train", "visualize")},
    **dict.fromkeys(("families", "plugins", "tasks"), "api.catalog"),
    **dict.fromkeys(("Dataset", "Metric", "Predictor"), "interfaces"),
    **dict.fromkeys(
        ("Contract", "DatasetConfig", "Demo", "FamilyInfo", "FamilyOptions", "ImageOptions", "TaskInfo"), "specs"
    ),
    **dict.fromkeys(("LayerGraph", "analyze_layer", "trace"), "api.layer.graph"),
    "compare_layers": "api.layer.compare",
    "prune_layer": "api.layer.prune",
    **dict.fromkeys(("LayerPlan", "load_plan", "load_shrunk", "shrink"), "api.layer.cuts"),
    "plan": "api.layer.plans",
    "PruneResult": "api.prune",
    **dict.fromkeys(("ImportedWeights", "import_weights"), "api.import_weights"),
    "score_units": "api.scoring",
    "op_rule": "graph.rules",
    "PaddlePruneError": "errors",
    "hookimpl": "hookspecs",
}
__all__ = ["__version__", *sorted(_HOMES)]


_exported = exported(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    try:
        return _exported(name)
    except ModuleNotFoundError as error:
        from paddleprune.dependencies import missing

        raise missing(error, f"paddleprune.{name}") from error


def __dir__() -> list[str]:
    return list(__all__)
