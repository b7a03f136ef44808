"""The training loop and the checkpoint folders, for any task."""

from typing import TYPE_CHECKING

from paddleprune.lazily import exported
from paddleprune.settings import TrainSettings as TrainSettings

if TYPE_CHECKING:
    from paddleprune.training.asked import Asked as Asked
    from paddleprune.training.asked import Source as Source
    from paddleprune.training.checkpoint import WEIGHTS as WEIGHTS
    from paddleprune.training.checkpoint import Checkpoint as Checkpoint
    from paddleprune.training.checkpoint import CheckpointInfo as CheckpointInfo
    from paddleprune.training.checkpoint import read_checkpoint as read_checkpoint
    from paddleprune.training.checkpoint import read_info as read_info
    from paddleprune.training.checkpoint import save_checkpoint as save_checkpoint
    from paddleprune.training.device import select_device as select_device
    from paddleprune.training.going_on import go_on as go_on
    from paddleprune.training.load import LoadedModel as LoadedModel
    from paddleprune.training.load import load_model as load_model
    from paddleprune.training.load import restore_weights as restore_weights
    from paddleprune.training.loop import TrainResult as TrainResult
    from paddleprune.training.loop import fit as fit
    from paddleprune.training.places import resume_folder as resume_folder
    from paddleprune.training.seeding import seed_everything as seed_everything
    from paddleprune.training.state import EpochRecord as EpochRecord
else:
    __getattr__ = exported(
        __name__,
        {
            **dict.fromkeys(("Asked", "Source"), "asked"),
            **dict.fromkeys(
                ("WEIGHTS", "Checkpoint", "CheckpointInfo", "read_checkpoint", "read_info", "save_checkpoint"),
                "checkpoint",
            ),
            "select_device": "device",
            "go_on": "going_on",
            **dict.fromkeys(("LoadedModel", "load_model", "restore_weights"), "load"),
            **dict.fromkeys(("TrainResult", "fit"), "loop"),
            "resume_folder": "places",
            "seed_everything": "seeding",
            "EpochRecord": "state",
        },
    )
