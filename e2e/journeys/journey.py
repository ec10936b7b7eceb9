"""What a journey is: a definition, what people do, and what must come out. Data only; `player` plays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Json = dict[str, Any]


class Act(NamedTuple):
    """What somebody outside does, as soon as it can be done.

    - `answer`: complete the user task `step` with `data`
    - `signal`: signal the WAIT `step`
    - `retry`: run the failed `step` again, with corrected variables
    - `cancel`: cancel the instance
    - `start again`: start another instance with the same business key, which must be refused

    `child`: it is done to the chained child. `needs`: a variable that has to be there first.
    """

    kind: Literal["answer", "signal", "retry", "cancel", "start again"]
    step: str = ""
    data: Mapping[str, Any] = {}
    child: bool = False
    needs: str = ""


class Outcome(NamedTuple):
    """How an instance ends. `end` is the END it reached, empty for none.

    `history` is every step execution in any order, by step id; `id/STATUS` when it did not end COMPLETED. `variables`
    are some of the final ones; a value of `...` only has to be there.
    """

    end: str
    history: str
    variables: Mapping[str, Any] = {}
    status: str = "COMPLETED"


class Journey(NamedTuple):
    """One journey. The first definition is started, the others are what it chains to.

    `effects` counts, by job type, what workers must have done to the rest of the world, each under a key of its own;
    `repeats` is how many calls more it takes because handlers fail.
    """

    name: str
    definitions: Sequence[Json]
    outcome: Outcome
    effects: Mapping[str, int]
    variables: Mapping[str, Any] = {}
    acts: Sequence[Act] = ()
    child: Outcome | None = None
    repeats: int = 0

    @property
    def calls(self) -> int:
        """How often handlers are called while nobody kills anything."""
        return sum(self.effects.values()) + self.repeats
