"""Prompts with the lengths of the answers they got; texts are read at run time, never stored."""

import json
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from schedlab.data import catalog, first_turns

ANSWERED_BY = "Meta-Llama-3-8B-Instruct"
"""The model of AlpacaEval whose answers count; the paper's smaller target."""


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
    answers = pd.read_csv(catalog.fetch("alpaca-eval-output-tokens"), usecols=[ANSWERED_BY])
    return _counted(prompts.tolist(), answers[ANSWERED_BY].to_numpy())


def _arena_hard() -> pd.DataFrame:
    lines = catalog.fetch("arena-hard-prompts-lengths").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    first = [row for row in rows if "gpt-4-0314" in row["output_tokens"]]
    lengths = np.array([row["output_tokens"]["gpt-4-0314"] for row in first])
    return _counted([row["prompt"] for row in first], lengths)


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
