"""What the engine asks of a scheduler, and what a scheduler answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from schedlab.serving.state import State


@dataclass(frozen=True, slots=True)
class Decision:
    """The next batch.

    Attributes
    ----------
    tokens
        Tokens by ``request_id``, in batch order: 1 for a decode, the chunk for a prefill.
        Naming a waiting request admits it with blocks for all its tokens.
    preempted
        Running requests that give all their blocks back before the batch, in this order.
        Each goes to the front of ``waiting``; it may be in ``tokens`` too, and then
        starts its prefill again at once.
    memo
        What the scheduler wants to see again, as ``state.memo``, when it decides the next
        batch. It keeps schedulers pure: whatever they remember is in the state.
    """

    tokens: Mapping[int, int]
    preempted: Sequence[int] = ()
    memo: object = None


class Scheduler(Protocol):
    """A pure function of the replica's state; any object with this method will do.

    It may carry ``max_num_batched_tokens`` and ``max_num_seqs``, the bounds that it promises
    for every batch and for the requests that own blocks; the invariants hold it to them.

    It may carry ``reserve_tokens``. Without it a request is admitted with blocks for all its
    tokens; with it, with blocks for so many tokens, at least for those of the batch, and its
    later chunks take what they need: the longest request for engines that never take blocks
    back, 0 for engines that allocate chunk by chunk.
    """

    def schedule(self, state: State, now: float) -> Decision | Mapping[int, int]:
        """Return the next batch; a plain ``{request_id: tokens}`` preempts nobody."""
        ...
