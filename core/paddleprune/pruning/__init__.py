"""Plan -> shrunk layer, with a certificate."""

from typing import TYPE_CHECKING

from paddleprune.lazily import exported

if TYPE_CHECKING:
    from paddleprune.pruning.certificate import prune as prune
    from paddleprune.pruning.hardcoded import protect_hard_coded as protect_hard_coded
    from paddleprune.pruning.make import make_plan as make_plan
    from paddleprune.pruning.plan import Plan as Plan
    from paddleprune.pruning.several import joined as joined
    from paddleprune.pruning.surgery import resize as resize
    from paddleprune.pruning.surgery import shrink as shrink
else:
    __getattr__ = exported(
        __name__,
        {
            "prune": "certificate",
            "protect_hard_coded": "hardcoded",
            "make_plan": "make",
            "Plan": "plan",
            "joined": "several",
            **dict.fromkeys(("resize", "shrink"), "surgery"),
        },
    )
