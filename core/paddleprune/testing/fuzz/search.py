"""Random networks, one after the other; one that breaks the contract is minimised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import HealthCheck, Phase, given, reject, seed, settings

from paddleprune.testing.fuzz.check import Degenerate, Tally, check
from paddleprune.testing.fuzz.draw import Case, cases


@dataclass(frozen=True)
class Failure:
    """A network that broke the contract.

    Attributes:
        call: Python code that shows it.
        symptom: what went wrong.
    """

    call: str
    symptom: str


Told: TypeAlias = str | Tally | Failure
"""What a search tells: the call that it is about to make, what it checked, what it found."""


def search(number: int, networks: int, tell: Callable[[Told], object]) -> None:
    """Check random networks until one fails; that one is minimised.

    Args:
        number: the seed.
        networks: how many at most.
        tell: takes what happens, as it happens.
    """
    last: list[tuple[Case, Exception]] = []
    seen: set[str] = set()

    @seed(number)
    @settings(
        max_examples=networks,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(cases())
    def property_holds(case: Case) -> None:
        text = str(case)
        if not last and text in seen:
            reject()
        seen.add(text)
        tell(text)
        try:
            tally = _checked(case)
        except Degenerate:
            if not last:
                tell(Tally(degenerate=1))
            reject()
        except Exception as error:
            last[:] = [(case, error)]
            raise
        if not last:
            tell(tally)

    try:
        property_holds()
    except BaseException as error:
        if not last:
            raise
        case, found = last[0]
        tell(Failure(str(case), _symptom(found, error)))


def _checked(case: Case) -> Tally:
    return check(case.program, seed=case.seed, tidy=case.tidy, attention=case.attention, compiled=case.compiled)


def _symptom(found: Exception, raised: BaseException) -> str:
    lines = [line.strip() for line in str(found).splitlines() if line.strip()]
    note = "" if type(raised) is type(found) else f" (then {type(raised).__name__})"
    return f"{type(found).__name__}: {lines[-1] if lines else ''}{note}"
