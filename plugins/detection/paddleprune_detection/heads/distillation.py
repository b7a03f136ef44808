"""What a detector learns from another one: its boxes and scores, at every place, whatever the head."""

from __future__ import annotations

from paddle import Tensor

from paddleprune_detection.heads.base import Head
from paddleprune_detection.heads.boxes import overlap_loss

_SURE = 1e-6
_BOXES = 2.0


def boxes_and_scores(head: Head, outputs: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> Tensor:
    """Cross entropy of the scores, and overlap loss of the boxes, each by the teacher's score there.

    Both are summed over the batch and divided by the sum of the teacher's best scores: about the number of places at
    which it sees an object. So background teaches no box, and little else (Mehta & Ozturk, "Object detection at 200
    Frames Per Second", 2018, section 3.3).

    Args:
        head: reads both networks' outputs.
        outputs: the model's.
        wanted: the teacher's.
    """
    boxes, scores = head.everything(outputs)
    its_boxes, its_scores = head.everything(wanted)
    said, goal = scores.clip(_SURE, 1 - _SURE), its_scores.clip(_SURE, 1 - _SURE)
    entropy = -(goal * said.log() + (1 - goal) * (1 - said).log())
    least = -(goal * goal.log() + (1 - goal) * (1 - goal).log())
    sure = its_scores.max(axis=1)
    apart = overlap_loss(boxes.reshape([-1, 4]), its_boxes.reshape([-1, 4]), "giou").reshape(sure.shape)
    return ((entropy - least).sum() + _BOXES * (apart * sure).sum()) / sure.sum().clip(min=1.0)
