import json

import pandas as pd
import pytest

from schedlab.data import first_turns, lengths, sharegpt


def talk(*messages):
    return {"conversations": [{"from": who, "value": text} for who, text in messages]}


LONG = "one two three four five"
TEXT = json.dumps(
    [
        talk(),
        talk(("human", LONG), ("gpt", LONG), ("human", "more"), ("gpt", "more")),
        talk(("gpt", "late"), ("human", LONG)),
        talk(("human", "hi"), ("gpt", LONG)),
        talk(("human", LONG), ("bard", "no")),
        talk(("system", "Be brief."), ("human", LONG), ("gpt", LONG)),
        talk(("user", LONG), ("chatgpt", LONG)),
    ]
)


def words(texts):
    return [len(text.split()) for text in texts]


def test_only_a_person_answered_by_an_assistant_counts():
    assert [position for position, *_ in first_turns.exchanges(TEXT)] == [1, 3, 4, 6]


def test_a_second_turn_is_the_second_question_alone():
    assert list(first_turns.exchanges(TEXT, turn=2)) == [(1, "more", "more")]


def test_the_papers_filter_drops_short_prompts_and_answers():
    table = first_turns.request_table(TEXT, words).to_pandas()
    assert table.to_numpy().tolist() == [[1, 5, 5], [6, 5, 5]]


def test_a_text_without_conversations_is_an_empty_table():
    assert first_turns.request_table("[]", words).num_rows == 0


def test_prompts_come_in_the_order_asked_for(monkeypatch):
    monkeypatch.setattr(first_turns, "packaged_text", lambda: TEXT)
    assert first_turns.prompts([3, 1]) == ["hi", LONG]
    with pytest.raises(ValueError, match="conversation 2 has no turn 1"):
        first_turns.prompts([1, 2])


def test_the_built_table_is_the_public_one(real_mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    built, public = lengths("sharegpt-first-turns"), lengths("sharegpt-first-turn-lengths")
    pd.testing.assert_frame_equal(built, public)


def test_the_package_holds_the_prompts_whose_tokens_were_counted():
    table = first_turns.table()
    some = table.iloc[[0, 1234, len(table) - 1]]
    texts = first_turns.prompts(some["conversation"].tolist())
    assert sharegpt.token_counter(1)(texts) == some["prompt_tokens"].tolist()
