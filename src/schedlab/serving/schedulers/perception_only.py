"""Perception Only: the model is asked for the length of its answer first, then ranked by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schedlab.serving.schedulers import options
from schedlab.serving.schedulers.prefix import StrictPrefix, queue

if TYPE_CHECKING:
    from schedlab.serving.request import Request
    from schedlab.serving.schedulers.interface import Decision
    from schedlab.serving.state import State


class PerceptionOnly(StrictPrefix):
    """The baseline of Zheng et al. (arXiv 2305.13144), as the ranking paper's authors run it.

    The first tokens of every answer are its own estimate of its length. They are served in order
    of arrival, ahead of everything else; then the estimate, which is the request's
    ``priority``, decides for good. Answers must come with these tokens: the authors add 15 to every
    output and also divide by the longer output, which flatters the latency per token.

    Parameters
    ----------
    tokens
        Output tokens that the estimate takes.
    max_num_batched_tokens, max_num_seqs
        As for :class:`StrictPrefix`.
    """

    def __init__(
        self, *, tokens: int = 15, max_num_batched_tokens: int = 768, max_num_seqs: int = 256
    ) -> None:
        options.count("tokens", tokens)
        super().__init__(max_num_batched_tokens, max_num_seqs)
        self.tokens = tokens

    def schedule(self, state: State, now: float) -> Decision:
        """Return requests without an estimate by arrival, then the others by theirs."""
        return self._batch(state, sorted(queue(state), key=self._rank)).decision()

    def _rank(self, request: Request) -> tuple[bool, float, int]:
        if request.num_output_tokens < self.tokens:
            return False, request.arrival_s, request.request_id
        return True, request.priority, 0
