"""What a scheduler sees of a replica."""

from dataclasses import dataclass, field

from schedlab.serving.memory import BlockMemory
from schedlab.serving.request import Request


@dataclass(slots=True)
class State:
    """The state of one replica between two batches. Schedulers read it and change nothing.

    Attributes
    ----------
    memory
        KV blocks.
    waiting
        Requests that have arrived and own no blocks, in order of arrival; preempted ones
        stand in front, the last preempted first.
    running
        Requests that own blocks, in order of admission.
    mean_batch_time_s
        Arithmetic mean over all batches so far, 0 before the first one ends.
    num_batches
        Batches that have ended.
    num_arrived
        Requests that have arrived so far.
    backlog_tokens
        Tokens still to process for all requests that are here, outputs to come included. Only
        an oracle can know this.
    memo
        What the scheduler left with its last decision; None once the replica has run empty.
    """

    memory: BlockMemory
    waiting: list[Request] = field(default_factory=list)
    running: list[Request] = field(default_factory=list)
    mean_batch_time_s: float = 0.0
    num_batches: int = 0
    num_arrived: int = 0
    backlog_tokens: int = 0
    memo: object = None

    @property
    def prefilling(self) -> list[Request]:
        """Running requests whose prompt is not complete, in order of admission."""
        return [request for request in self.running if request.is_prefilling]

    @property
    def decoding(self) -> list[Request]:
        """Running requests whose prompt is complete, in order of admission."""
        return [request for request in self.running if not request.is_prefilling]
