"""Hand out the workgroups of one dispatch to threads: shared, owned, or stolen."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

SHARED = -1


@dataclass(frozen=True)
class HandOut:
    """How the workgroups of a dispatch are handed out.

    Attributes
    ----------
    chunks
        Workgroups, by number in row-major order, that are taken together.
    owners
        Core of each chunk, or -1 for whoever is free first.
    steal
        Whether a core without work takes half of what the richest other still owns.
    """

    chunks: Sequence[Sequence[int]]
    owners: Sequence[int]
    steal: bool = False

    @staticmethod
    def greedy(order: Sequence[int]) -> "HandOut":
        """Return Ariel-ML's policy with the workgroups in this order: one by one, to the first."""
        return HandOut([[number] for number in order], [SHARED] * len(order))

    @property
    def workgroups(self) -> list[int]:
        """All workgroups of all chunks."""
        return [number for chunk in self.chunks for number in chunk]


class WorkQueue:
    """The chunks of a plan that nobody has taken yet; safe for many threads.

    Parameters
    ----------
    plan
        What to hand out.
    """

    def __init__(self, plan: HandOut) -> None:
        self._lock = threading.Lock()
        self._steal = plan.steal
        self._waiting: dict[int, deque[Sequence[int]]] = {SHARED: deque()}
        for chunk, owner in zip(plan.chunks, plan.owners, strict=True):
            self._waiting.setdefault(owner, deque()).append(chunk)

    def take(self, core: int) -> Sequence[int]:
        """Return the next chunk for a core; empty when there is nothing left for it."""
        with self._lock:
            own = self._waiting.setdefault(core, deque())
            if not own and not self._waiting[SHARED] and self._steal:
                self._raid(own)
            source = own or self._waiting[SHARED]
            return source.popleft() if source else ()

    def _raid(self, own: deque[Sequence[int]]) -> None:
        """Move the last half of the longest queue to ``own``."""
        richest = max(self._waiting.values(), key=len)
        for _ in range((len(richest) + 1) // 2):
            own.appendleft(richest.pop())
