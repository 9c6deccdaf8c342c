"""Prompts with the lengths of the answers they got; texts are read at run time, never stored."""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from schedlab.data import catalog, first_turns

ALPACA_ANSWERED_BY = "Meta-Llama-3-8B-Instruct"  # the paper's smaller target
ARENA_ANSWERED_BY = "gpt-4-0314"  # Arena-Hard has no answers of Llama-3


@lru_cache(maxsize=4)
def prompt_set(name: str) -> pd.DataFrame:
    """Return a set of prompts as columns ``prompt``, ``prompt_tokens`` and ``output_tokens``.

    Parameters
    ----------
    name
        One of :data:`PROMPT_SETS`. ``sharegpt-first-turns`` and ``sharegpt-second-turns`` come
        from a package, the others from the catalogue, by network or mirror.

    Raises
    ------
    ValueError
        If the name is unknown.
    FileNotFoundError
        If a catalogued set is not to be had.
    """
    if name not in PROMPT_SETS:
        raise ValueError(f"no prompts named {name!r}; there are {', '.join(PROMPT_SETS)}")
    return PROMPT_SETS[name]()


def _sharegpt(turn: int) -> pd.DataFrame:
    table = first_turns.table(turn)
    prompts = first_turns.prompts(table["conversation"].tolist(), turn)
    return table.assign(prompt=prompts)[["prompt", "prompt_tokens", "output_tokens"]]


def _alpaca_eval() -> pd.DataFrame:
    prompts = pd.read_json(catalog.fetch("alpaca-eval-prompts"), lines=True)["prompt"]
    answers = pd.read_csv(catalog.fetch("alpaca-eval-output-tokens"), usecols=[ALPACA_ANSWERED_BY])
    return _counted(prompts.tolist(), answers[ALPACA_ANSWERED_BY].to_numpy())


def _arena_hard() -> pd.DataFrame:
    table = pd.read_json(catalog.fetch("arena-hard-prompts-lengths"), lines=True)
    lengths = pd.DataFrame(table["output_tokens"].tolist())[ARENA_ANSWERED_BY]
    answered = lengths.notna()
    return _counted(table["prompt"][answered].tolist(), lengths[answered].to_numpy(dtype=int))


def _counted(prompts: list[str], lengths: np.ndarray) -> pd.DataFrame:
    from schedlab.data.sharegpt import token_counter

    tokens = token_counter(threads=1)(prompts)
    return pd.DataFrame(
        {"prompt": prompts, "prompt_tokens": tokens, "output_tokens": np.maximum(1, lengths)}
    )


PROMPT_SETS: dict[str, Callable[[], pd.DataFrame]] = {
    "sharegpt-first-turns": partial(_sharegpt, 1),
    "sharegpt-second-turns": partial(_sharegpt, 2),
    "alpaca-eval": _alpaca_eval,
    "arena-hard": _arena_hard,
}
"""What :func:`prompt_set` can return."""
