"""MLFQ: a multi-level feedback queue, which learns lengths by serving."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.prefix import StrictPrefix, queue

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State

ENDS = ("front", "back")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a request stands.

    Attributes
    ----------
    level
        Queue, 0 for the first.
    place
        Position in it, the smallest first.
    served_s
        Time for which it ran at this level.
    seen_s
        When it last ran, or else came.
    """

    level: int
    place: int
    served_s: float
    seen_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What the scheduler remembers between batches.

    Attributes
    ----------
    seats
        By ``request_id``.
    began_s, members
        Start of the last batch, and who was in it, in order.
    first, last
        Places before and behind all that are taken.
    """

    seats: dict[int, Seat]
    began_s: float
    members: list[int]
    first: int
    last: int


class MLFQ(StrictPrefix):
    """The baseline after FastServe that the ranking paper describes in its appendix A.

    A request begins in level 0 and drops a level when it has run there for longer than
    ``quantum_s * growth**level``. Batches are filled from level 0 on, front to back.

    Parameters
    ----------
    quantum_s
        Time at level 0, s. The authors use 0.03 or 0.02; for the name that their ShareGPT rate
        sweep uses, their own parser falls back to 0.01, see :func:`authors_options`.
    growth
        Factor from level to level.
    levels
        Number of levels; there is no dropping out of the last.
    reinsert
        Where a request that drops enters its new level: at the ``front``, as in the authors'
        code, or at the ``back``.
    promote_after_s
        A request that did not run for so long goes back to the end of level 0. None never does,
        as in the authors' experiments; their code has 3 s.
    promote_every
        Batches between two looks for such requests.
    max_num_batched_tokens, max_num_seqs
        As for :class:`StrictPrefix`.
    """

    def __init__(
        self,
        *,
        quantum_s: float = 0.03,
        growth: float = 10.0,
        levels: int = 16,
        reinsert: str = "front",
        promote_after_s: float | None = None,
        promote_every: int = 100,
        max_num_batched_tokens: int = 768,
        max_num_seqs: int = 256,
    ) -> None:
        options.real("quantum_s", quantum_s)
        options.real("growth", growth, 1.0, 1e6)
        options.count("levels", levels)
        options.one_of("reinsert", reinsert, ENDS)
        if promote_after_s is not None:
            options.real("promote_after_s", promote_after_s)
        options.count("promote_every", promote_every)
        super().__init__(max_num_batched_tokens, max_num_seqs)
        self.quanta_s = (*[quantum_s * growth**level for level in range(levels - 1)], inf)
        self.reinsert = reinsert
        self.promote_after_s, self.promote_every = promote_after_s, promote_every

    def schedule(self, state: State, now: float) -> Decision:
        """Return the first requests of the levels; the memo holds everyone's seat."""
        present = queue(state)
        memory = self._seated(present, state.memo or Memory({}, now, [], 0, 0), now)
        if self.promote_after_s is not None and state.num_batches % self.promote_every == 0:
            memory = self._promoted(memory, now)
        seats = memory.seats

        def rank(request: Request) -> tuple[int, int]:
            seat = seats[request.request_id]
            return seat.level, seat.place

        draft = self._batch(state, sorted(present, key=rank))
        return draft.decision(replace(memory, began_s=now, members=list(draft.tokens)))

    def _seated(self, present: list[Request], before: Memory, now: float) -> Memory:
        """Return the seats after the last batch, with new requests at the end of level 0."""
        here = {request.request_id for request in present}
        seats = {name: seat for name, seat in before.seats.items() if name in here}
        first, last = before.first, before.last
        start = first - len(before.members) if self.reinsert == "front" else last
        for at, name in enumerate(before.members):
            if name in seats:
                seats[name] = self._after(seats[name], now - before.began_s, now, start + at)
        first, last = min(first, start), max(last, start + len(before.members))
        for request in present:
            if request.request_id not in seats:
                seats[request.request_id] = Seat(0, last, 0.0, now)
                last += 1
        return Memory(seats, now, [], first, last)

    def _after(self, seat: Seat, passed_s: float, now: float, place: int) -> Seat:
        """Return a seat after a batch, which may be one level down."""
        served_s = seat.served_s + passed_s
        if served_s > self.quanta_s[seat.level]:
            return Seat(seat.level + 1, place, 0.0, now)
        return Seat(seat.level, seat.place, served_s, now)

    def _promoted(self, memory: Memory, now: float) -> Memory:
        seats, last = dict(memory.seats), memory.last
        for name, seat in memory.seats.items():
            if seat.level > 0 and now - seat.seen_s >= self.promote_after_s:
                seats[name] = Seat(0, last, 0.0, now)
                last += 1
        return replace(memory, seats=seats, last=last)


def authors_options(name: str, *, as_meant: bool = False) -> dict[str, float]:
    """Return the options behind a name in the authors' scripts, ``mlfq-quant0.03-thres10``.

    Their parser looks for ``quant``; ``mlfq-base0.03-thres10``, which the ShareGPT rate sweep
    uses, so runs with 0.01 s.

    Parameters
    ----------
    name
        Parts joined by hyphens.
    as_meant
        Whether to read ``base`` as ``quant``.
    """
    heads = ("quant", "base") if as_meant else ("quant",)
    found = {"quantum_s": 0.01, "growth": 2.0}
    for part in name.split("-"):
        for head in (*heads, "thres"):
            if part.startswith(head):
                key = "growth" if head == "thres" else "quantum_s"
                found[key] = float(part.removeprefix(head))
    return found
