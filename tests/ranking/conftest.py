"""Prompts whose answers' lengths can be told from their words, and a tiny real language model."""

import numpy as np
import pytest

SHORT = ("yes or no", "one word only", "name it briefly")
LONG = ("write a long essay", "tell a whole story", "explain every step")


@pytest.fixture(scope="session")
def talk():
    """Return prompts and output lengths: what is asked briefly is answered briefly."""
    rng = np.random.default_rng(3)
    brief = rng.random(600) < 0.5
    asked = [SHORT[i % 3] if b else LONG[i % 3] for i, b in enumerate(brief)]
    topics = rng.choice(["rivers", "stars", "bread", "trains", "cats"], 600)
    lengths = np.where(brief, rng.integers(5, 60, 600), rng.integers(300, 2000, 600))
    return [f"{a} about {t}" for a, t in zip(asked, topics, strict=True)], lengths


@pytest.fixture(scope="session")
def tiny_opt(tmp_path_factory, talk):
    """Return a folder with an OPT of a few thousand weights and a tokenizer of its words."""
    transformers = pytest.importorskip("transformers", reason="pip install -e '.[ranking]'")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for prompt in talk[0] for word in prompt.split()})
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("tiny-opt")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    config = transformers.OPTConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        ffn_dim=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        word_embed_proj_dim=16,
        max_position_embeddings=32,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.OPTModel(config).save_pretrained(folder)
    return folder
