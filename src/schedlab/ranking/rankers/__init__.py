"""Predictors of the order of output lengths, with scikit-learn's conventions.

Each has ``fit(prompts, lengths)`` and ``score(prompts)``, and takes a ``seed`` if it draws
anything. Unlike scikit-learn's, ``score`` returns one number per prompt: the larger, the shorter
the answer is expected to be, and the sooner the request should run.
"""

from collections.abc import Callable
from typing import Any

from schedlab.ranking.rankers.baselines import PromptLength, RidgeRanker
from schedlab.ranking.rankers.linear import LinearRanker
from schedlab.ranking.rankers.sequence import SequenceRanker

RANKERS: dict[str, Callable[..., Any]] = {
    "linear": LinearRanker,
    "sequence": SequenceRanker,
    "ridge": RidgeRanker,
    "prompt_length": PromptLength,
}
"""Rankers by the name that ``params.yaml`` uses."""
