"""The steps of preprocessing that tasks offer, by the original's names and parameters.

A task names those that it takes, as they are or as subclasses with other defaults. What each does to a picture is in
`transforms`.
"""

from paddleprune.vision.specs.look import Normalize as Normalize
from paddleprune.vision.specs.look import RandomBlur as RandomBlur
from paddleprune.vision.specs.look import RandomDistort as RandomDistort
from paddleprune.vision.specs.look import RangedNormalize as RangedNormalize
from paddleprune.vision.specs.place import Letterbox as Letterbox
from paddleprune.vision.specs.place import Padding as Padding
from paddleprune.vision.specs.place import RandomExpand as RandomExpand
from paddleprune.vision.specs.place import RandomFilledRotate as RandomFilledRotate
from paddleprune.vision.specs.place import RandomHorizontalFlip as RandomHorizontalFlip
from paddleprune.vision.specs.place import RandomRotate as RandomRotate
from paddleprune.vision.specs.place import RandomVerticalFlip as RandomVerticalFlip
from paddleprune.vision.specs.place import StridePadding as StridePadding
from paddleprune.vision.specs.size import CenterCrop as CenterCrop
from paddleprune.vision.specs.size import InterpolatedResize as InterpolatedResize
from paddleprune.vision.specs.size import RandomCrop as RandomCrop
from paddleprune.vision.specs.size import RandomPaddingCrop as RandomPaddingCrop
from paddleprune.vision.specs.size import Resize as Resize
from paddleprune.vision.specs.size import ResizeByLong as ResizeByLong
from paddleprune.vision.specs.size import ResizeByShort as ResizeByShort
from paddleprune.vision.specs.size import ResizeRangeScaling as ResizeRangeScaling
from paddleprune.vision.specs.size import ResizeStepScaling as ResizeStepScaling
from paddleprune.vision.specs.step import RandomStep as RandomStep
from paddleprune.vision.specs.step import Step as Step
from paddleprune.vision.specs.step import random_step as random_step
