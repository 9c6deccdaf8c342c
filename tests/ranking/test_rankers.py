"""Rankers: they learn an order, keep scikit-learn's conventions, and refuse what cannot be."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone

from schedlab.lab.resolve import resolve
from schedlab.ranking.backbones import MINILM, MiniLM
from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.objectives import LOSSES
from schedlab.ranking.rankers import RANKERS, LinearRanker, PromptLength, RidgeRanker
from schedlab.ranking.rankers.linear import product
from schedlab.ranking.rankers.saving import load, save
from schedlab.ranking.rankers.sequence import SequenceRanker
from schedlab.ranking.splits import split_by_prompt

QUICK = {"epochs": 3, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def split(talk):
    prompts, lengths = talk
    trained, tested = split_by_prompt(prompts, 0.5, 0)
    return (
        ([prompts[i] for i in trained], lengths[trained]),
        ([prompts[i] for i in tested], lengths[tested]),
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_to_put_short_answers_first(split, loss):
    (prompts, lengths), (unseen, truth) = split
    bucket = {"classes": 200, "percentiles": 25}.get(loss, 10)
    ranker = LinearRanker(loss, bucket=bucket, **QUICK).fit(prompts, lengths)
    scores = ranker.score(unseen)
    assert scores.shape == (len(unseen),)
    assert scores[truth < 100].mean() > scores[truth > 100].mean()
    assert kendall_tau(scores, truth) > 0.4


def test_ridge_learns_and_prompt_length_only_counts(split):
    (prompts, lengths), (unseen, truth) = split
    assert kendall_tau(RidgeRanker().fit(prompts, lengths).score(unseen), truth) > 0.4
    assert PromptLength().fit([], []).score(["four", "sixsix"]).tolist() == [-4, -6]


def test_the_same_seed_gives_the_same_bytes_and_another_another(split):
    (prompts, lengths), (unseen, _) = split
    first, again, other = (
        LinearRanker(seed=seed, **QUICK).fit(prompts, lengths).score(unseen) for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_a_regression_finds_the_least_squares_of_its_features(talk):
    """Without penalty and with many steps it is the solution of the normal equations."""
    prompts, lengths = talk
    ranker = LinearRanker("regression", epochs=60, list_size=300, learning_rate=0.05)
    ranker.fit(prompts, lengths)
    features = ranker.backbone_.transform(prompts).toarray()
    centred = -np.log(lengths) + np.log(lengths).mean()
    best = features @ np.linalg.lstsq(features, centred, rcond=None)[0] - np.log(lengths).mean()
    assert np.abs(ranker.score(prompts) - best).max() < 0.25
    assert np.corrcoef(ranker.score(prompts), best)[0, 1] > 0.995


def test_accuracy_counts_the_right_classes(split):
    (prompts, lengths), (unseen, truth) = split
    ranker = LinearRanker("classes", bucket=200, **QUICK).fit(prompts, lengths)
    assert ranker.accuracy(unseen, truth) == np.mean(-ranker.score(unseen) == truth // 200)
    assert ranker.accuracy(unseen, truth) > 0.45
    assert np.isnan(LinearRanker(**QUICK).fit(prompts, lengths).accuracy(unseen, truth))


def test_parameters_are_those_of_scikit_learn():
    ranker = LinearRanker("margin", bucket=20, seed=4)
    assert clone(ranker).get_params() == ranker.get_params()
    assert ranker.set_params(epochs=2).epochs == 2


def test_the_defaults_are_the_papers():
    """Section 4.2 and the authors' code: buckets of 10 tokens, lists of 32, five epochs."""
    published = {"loss": "listmle", "bucket": 10, "list_size": 32, "epochs": 5, "seed": 0}
    language_model = {"learning_rate": 2e-5, "penalty": 0.01, "max_tokens": 2048}
    assert LinearRanker().get_params().items() >= published.items()
    assert SequenceRanker().get_params().items() >= (published | language_model).items()


def test_an_answer_of_one_token_is_an_answer():
    ranker = LinearRanker(list_size=2, epochs=60).fit(["yes", "essay"] * 4, [1, 900] * 4)
    yes, essay = ranker.score(["yes", "essay"])
    assert yes > essay


def test_sparse_and_dense_features_give_the_same_product():
    rng = np.random.default_rng(0)
    dense = rng.random((5, 7)).astype(np.float32) * (rng.random((5, 7)) < 0.4)
    dense[2] = 0
    weight = torch.from_numpy(rng.random((7, 3)).astype(np.float32))
    assert torch.allclose(product(sparse.csr_matrix(dense), weight), product(dense, weight))


@pytest.mark.parametrize(
    ("options", "prompts", "lengths", "words"),
    [
        ({"loss": "lambdarank"}, ["a"] * 32, [5] * 32, "allowed are listmle"),
        ({"bucket": 0}, ["a"] * 32, [5] * 32, "bucket must be"),
        ({"loss": "percentiles", "bucket": 60}, ["a"] * 32, [5] * 32, "from 1 to 50"),
        ({"backbone": "bert"}, ["a"] * 32, [5] * 32, "allowed are tfidf, minilm"),
        ({}, ["a"] * 5, [5] * 5, "a list takes 32 prompts, got 5"),
        ({}, ["a"] * 32, [5] * 31, "32 prompts but 31 lengths"),
        ({}, ["a"] * 32, [0] * 32, "at least 1"),
        ({}, ["a"] * 32, [0.5] * 32, "whole numbers"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(options, prompts, lengths, words):
    with pytest.raises(ValueError, match=words):
        LinearRanker(**options).fit(prompts, lengths)


def test_equal_prompts_go_the_same_way_and_the_share_is_kept():
    prompts = [f"question {i % 400}" for i in range(1000)]
    trained, tested = split_by_prompt(prompts, 0.25, 3)
    assert sorted([*trained, *tested]) == list(range(1000))
    assert not {prompts[i] for i in trained} & {prompts[i] for i in tested}
    assert len({prompts[i] for i in tested}) == 100


@pytest.mark.parametrize("loss", ["listmle", "classes", "percentiles", "regression"])
def test_a_loaded_ranker_scores_as_the_saved_one(split, tmp_path, loss):
    (prompts, lengths), (unseen, truth) = split
    ranker = LinearRanker(loss, bucket=25, **QUICK).fit(prompts, lengths)
    save(ranker, tmp_path / "ranker.safetensors")
    again = load(tmp_path / "ranker.safetensors")
    assert again.get_params() == ranker.get_params()
    assert again.score(unseen).tobytes() == ranker.score(unseen).tobytes()
    assert again.accuracy(unseen, truth) == pytest.approx(
        ranker.accuracy(unseen, truth), nan_ok=True
    )


def test_saving_and_loading_refuse_what_is_no_trained_ranker(tmp_path):
    with pytest.raises(ValueError, match="call fit before save"):
        save(LinearRanker(), tmp_path / "ranker.safetensors")
    assert not list(tmp_path.iterdir())
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="expected a 'schedlab linear ranker 1', found None"):
        load(tmp_path / "other.safetensors")


def test_names_of_params_yaml_make_rankers():
    made = resolve({"use": "linear", "options": {"loss": "ranknet"}}, RANKERS).make()
    assert isinstance(made, LinearRanker)
    with pytest.raises(ValueError, match="it takes loss"):
        resolve({"use": "linear", "options": {"los": "ranknet"}}, RANKERS)


def test_a_language_model_learns_the_order_too(split, tiny_opt):
    (prompts, lengths), (unseen, truth) = split
    before = torch.random.get_rng_state()
    options = {"epochs": 4, "learning_rate": 0.01, "device": "cpu"}
    ranker = SequenceRanker(str(tiny_opt), **options).fit(prompts, lengths)
    scores = ranker.score(unseen)
    assert kendall_tau(scores, truth) > 0.4
    again = SequenceRanker(str(tiny_opt), **options).fit(prompts, lengths)
    assert again.score(unseen).tobytes() == scores.tobytes()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_padding_does_not_change_a_score(split, tiny_opt):
    (prompts, lengths), _ = split
    ranker = SequenceRanker(str(tiny_opt), epochs=1, device="cpu").fit(prompts, lengths)
    alone = ranker.score(["yes or no"])
    beside = ranker.score(["yes or no", "tell a whole story about trains"])
    assert alone[0] == pytest.approx(beside[0], abs=1e-5)


def test_of_a_long_prompt_it_reads_the_first_tokens(split, tiny_opt):
    (prompts, lengths), _ = split
    ranker = SequenceRanker(str(tiny_opt), epochs=1, device="cpu", max_tokens=4)
    begun = "tell a whole story about trains and"
    scores = ranker.fit(prompts, lengths).score([f"{begun} yes", f"{begun} no", "yes or no"])
    assert scores[0] == scores[1] != scores[2]


def test_off_a_gpu_it_computes_in_full_precision(split, tiny_opt, monkeypatch):
    (prompts, lengths), _ = split
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ranker = SequenceRanker(str(tiny_opt), epochs=1).fit(prompts, lengths)
    assert ranker.device_.type == "cpu"
    (found,) = ranker.score(prompts[:1])
    batch = ranker.tokenizer_(prompts[:1], return_tensors="pt")
    exact = ranker.network_.double()(**batch).logits.item()
    assert found == pytest.approx(exact, rel=1e-5)


def test_minilm_embeds_words_of_like_meaning_alike():
    pytest.importorskip(MINILM, reason="pip install -e '.[ranking]'")
    vectors = MiniLM().fit([]).transform(["a short story", "a brief tale", "compile this code"])
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_minilm_names_what_is_missing(monkeypatch):
    from schedlab.ranking import backbones

    backbones._minilm.cache_clear()
    monkeypatch.setattr(backbones, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install -e '.\[ranking\]'"):
        MiniLM(max_tokens=7).transform(["x"])
