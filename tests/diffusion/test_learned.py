"""Denoisers, their measures, and what is built on them, at a size that trains in seconds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import sqrtm

from schedlab.diffusion.claims.seed_space import seed_claims
from schedlab.diffusion.claims.seedselect import select_claims
from schedlab.diffusion.experiment import learned, seed_space, seedselect
from schedlab.diffusion.figures import learned as pictures
from schedlab.diffusion.figures import seed_space as seed_figures
from schedlab.diffusion.learned_parameters import (
    SeedParameters,
    SelectParameters,
    TrainParameters,
)
from schedlab.diffusion.models import stable_diffusion
from schedlab.diffusion.models.checkpoint import load_ensemble, save_ensemble
from schedlab.diffusion.models.denoiser import Denoiser, Shape, signal_and_noise
from schedlab.diffusion.models.images import Images, load_images
from schedlab.diffusion.models.training import Recipe, train_ensemble
from schedlab.diffusion.quality import contrast, diversity, frechet_distance, moments
from schedlab.diffusion.schedulers import SCHEDULERS
from schedlab.diffusion.seeds.seedselect import Selection, last_images, select
from schedlab.lab import claims as ledger

SMALL = {"images": "digits", "width": 32, "blocks": 1, "batch": 64, "peak_rate": 0.01}
TRAIN = TrainParameters(
    **SMALL,
    steps=300,
    samples=60,
    sampling_steps=10,
    unet_steps=2,
    unet_batch=8,
    unet_samples=20,
    pipeline_steps=2,
    seeds=[0, 1, 2],
)
SEEDS = SeedParameters(
    images="digits",
    sampling_steps=10,
    scales=[0.3, 0.707, 1.0, 1.5],
    samples=40,
    path_points=5,
    dimensions=[16],
    pairs=2,
    groups=20,
    group_sizes=[3],
    inversion_steps=[10, 50],
    inverted=20,
)


@pytest.fixture(scope="module")
def trained() -> tuple[learned.Trained, pd.DataFrame]:
    return learned.train(TRAIN)


@pytest.fixture(scope="module")
def model(trained) -> learned.Trained:
    return trained[0]


def test_training_lowers_the_loss_of_every_member_and_repeats_itself(trained):
    losses = trained[1].pivot_table(index="step", columns="seed", values="loss")
    assert (losses.iloc[-1] < 0.7 * losses.iloc[0]).all()
    part = trained[0].train
    shape, recipe = Shape(64, 8, 1), Recipe(steps=3, batch=8, peak_rate=1e-3)
    twice = [train_ensemble(part, shape, recipe, learned.noise_levels(), [4])[0] for _ in range(2)]
    for name, weight in twice[0].parameters.items():
        assert torch.equal(weight, twice[1].parameters[name])


def test_an_ensemble_answers_as_its_members_do(model):
    ensemble = model.ensemble
    x, labels = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(0)), torch.arange(5)
    t = torch.tensor(400)
    together = ensemble(x, t, labels)
    alpha, sigma = signal_and_noise(ensemble.alphas_cumprod, t)
    assert (alpha**2 + sigma**2).item() == pytest.approx(1.0)
    for k in range(3):
        alone = Denoiser(ensemble.shape)
        alone.load_state_dict({name: w[k] for name, w in ensemble.parameters.items()})
        expected = alpha * alone(x[k], t.expand(5), labels) + sigma * x[k]
        torch.testing.assert_close(together[k], expected, atol=1e-5, rtol=1e-4)


def test_levels_between_timesteps_are_those_of_sigma_space():
    scheduler = SCHEDULERS["euler"]()
    scheduler.set_timesteps(7)
    levels = learned.noise_levels()
    ratios = [s / a for a, s in (signal_and_noise(levels, t) for t in scheduler.timesteps)]
    np.testing.assert_allclose(ratios, scheduler.sigmas[:-1], rtol=1e-4)


def test_checkpoints_come_back(model, tmp_path: Path):
    save_ensemble(model.ensemble, tmp_path / "a.safetensors")
    again = load_ensemble(tmp_path / "a.safetensors")
    assert (again.shape, again.seeds) == (model.ensemble.shape, (0, 1, 2))
    torch.testing.assert_close(again.alphas_cumprod, model.ensemble.alphas_cumprod)
    for name, weight in model.ensemble.parameters.items():
        torch.testing.assert_close(again.parameters[name], weight, rtol=1e-3, atol=1e-4)
    (tmp_path / "b.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="no trained ensemble"):
        load_ensemble(tmp_path / "b.safetensors")
    with pytest.raises(FileNotFoundError, match="dvc repro"):
        load_ensemble(tmp_path / "c.safetensors")


def test_frechet_distance_is_that_of_scipy_and_zero_on_itself():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(200, 5)), rng.normal(0.5, 2.0, size=(200, 5))
    one, two = moments(first), moments(second)
    root = sqrtm(one[1] @ two[1]).real
    expected = np.square(one[0] - two[0]).sum() + np.trace(one[1] + two[1] - 2 * root)
    assert frechet_distance(*one, *two) == pytest.approx(expected)
    assert frechet_distance(*one, *one) == pytest.approx(0.0, abs=1e-8)
    flat = (first[0] * 0, np.zeros((5, 5)))
    assert frechet_distance(*flat, *flat) == 0.0


def test_contrast_and_diversity_in_closed_form():
    samples = np.array([[-1.0, 1.0], [-3.0, 3.0], [5.0, 5.0], [5.0, 5.0]])
    assert contrast(samples) == pytest.approx((1 + 3) / 4)
    assert diversity(samples, np.array([0, 0, 1, 1])) == pytest.approx(1.0)


def test_the_model_draws_digits_that_real_images_confirm(model):
    table, _ = learned.quality(model, TRAIN)
    by = table.groupby("images")[["frechet", "accuracy"]].mean()
    assert by.loc["held out", "accuracy"] > 0.97
    assert by.loc["generated", "accuracy"] > 0.5
    assert by.loc["held out", "frechet"] < by.loc["generated", "frechet"]


def test_diffusers_pipeline_takes_our_schedulers(model):
    table, images = learned.unet_in_pipeline(model, TRAIN, ["ddim", "euler"])
    assert table["scheduler"].tolist() == ["ddim", "euler"]
    assert images["euler"].shape == (20, 64)
    assert torch.isfinite(images["ddim"]).all()


def test_seed_space_end_to_end(model):
    sweep, by_norm = seed_space.norm_sweep(model, SEEDS)
    random, lines = seed_space.midpoints(
        model, SEEDS, seed_space.random_pairs(model, SEEDS), "random"
    )
    seeds = seed_space.invert_training_images(model, SEEDS)
    pairs = seed_space.inverted_pairs(model, SEEDS, seeds)
    between, _ = seed_space.midpoints(model, SEEDS, pairs, "inverted")
    tables = {
        "norms": sweep,
        "midpoints": pd.concat([random, between], ignore_index=True),
        "paths": seed_space.path_costs(SEEDS, model.ensemble.seeds),
        "centroids": seed_space.centroids(model, SEEDS, seeds),
        "inversion": seed_space.inversion(model, SEEDS),
    }
    norms = random.groupby("method")["norm"].mean()
    assert norms["LERP"] == pytest.approx(8 / 2**0.5, rel=0.03)
    assert norms["FIX"] == pytest.approx(8.0)
    trips = tables["inversion"].query("steps == 50").groupby("method")["rmse"].mean()
    assert trips["fixed_point"] < trips["ddim"]
    assert (tables["paths"]["true_cost"] > 0.999 * tables["paths"]["optimum"]).all()
    findings = ledger.evaluate(seed_claims(), tables, "smoke")
    assert all(finding["seeds"] == 3 for finding in findings)
    strip = seed_space.strip(model, lines, pair=3, label=3, steps=5)
    assert strip["NAO"].shape == (5, 64)
    for figure in (
        seed_figures.norms(sweep),
        seed_figures.three_paths(lines, 0),
        seed_figures.by_method(tables["centroids"], "size", "images"),
        seed_figures.round_trips(tables["inversion"]),
        pictures.strips({name: drawn[:10].numpy() for name, drawn in by_norm.items()}),
    ):
        assert figure.axes


def test_seedselect_end_to_end(model):
    parameters = SelectParameters(
        **SMALL,
        most=60,
        fewest=5,
        steps=60,
        rare_classes=2,
        images_per_class=10,
        sampling_steps=4,
        path_points=5,
        seeds=[0, 1, 2],
    )
    tail = seedselect.long_tail(parameters, model)
    assert np.bincount(tail.few.labels).tolist() == tail.counts
    found = seedselect.searches(tail, parameters)
    falls = found.losses.groupby(["start", "iteration"])["loss"].mean()
    assert falls["random", 30] < falls["random", 0]
    assert falls["NAO", 0] < falls["random", 0]
    tables = {
        "losses": found.losses,
        "recognised": seedselect.recognised(tail, found),
        "augmentation": seedselect.augmentation(tail, found),
    }
    assert len(ledger.evaluate(select_claims(), tables, "smoke")) == 3


def test_seedselect_descends_through_the_whole_sampler():
    scheduler = SCHEDULERS["ddim"](clip_sample=False)
    target = torch.full((2, 4), 0.5)
    start = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    found, history = select(
        lambda x, t: 0.1 * x,
        scheduler,
        start,
        5,
        lambda images: (images[-1] - target).square().mean(dim=-1),
        Selection(iterations=20, rate=0.1),
    )
    assert (history[-1] < 0.5 * history[0]).all()
    images = last_images(lambda x, t: 0.1 * x, scheduler, found, 5)
    torch.testing.assert_close(history[-1], (images[-1] - target).square().mean(dim=-1))


def test_splits_are_parts_of_the_whole():
    whole = load_images("digits")
    train, held = whole.split(np.random.default_rng(0))
    assert len(train) + len(held) == len(whole) == 1797
    assert (whole.pixels.min(), whole.pixels.max(), whole.side) == (-1, 1, 8)


def test_bad_names_and_sizes_are_refused(model):
    with pytest.raises(ValueError, match="there are digits"):
        load_images("cats")
    wrong = Images(np.zeros((1, 4), np.float32), np.zeros(1, int), 2)
    assert len(wrong) == 1
    with pytest.raises(ValueError, match="1 must be among"):
        SeedParameters(**{**SEEDS.model_dump(), "scales": [0.5, 2, 3]})
    with pytest.raises(ValueError, match="odd"):
        SeedParameters(**{**SEEDS.model_dump(), "path_points": 4})


def test_catalogued_images_are_read_from_a_mirror(monkeypatch, tmp_path: Path):
    import os

    if not Path(os.environ.get("SCHEDLAB_DATA_MIRROR", ""), "vision").is_dir():
        pytest.skip("SCHEDLAB_DATA_MIRROR holds no vision/; set it to read MNIST")
    monkeypatch.setenv("SCHEDLAB_DATA_CACHE", str(tmp_path))
    found = load_images("mnist-t10k")
    assert found.pixels.shape == (10000, 784)
    assert np.bincount(found.labels).tolist()[:3] == [980, 1135, 1032]


def test_stable_diffusion_says_what_it_lacks():
    chosen = stable_diffusion.scheduler("ddim")
    assert (chosen.config.beta_schedule, chosen.config.steps_offset) == ("scaled_linear", 1)
    assert stable_diffusion.draw_seeds(2, torch.Generator()).shape == (2, 16384)
    with pytest.raises(ValueError, match="unknown scheduler"):
        stable_diffusion.scheduler("best")
    with pytest.raises(FileNotFoundError, match="transformers"):
        stable_diffusion.load_pipeline("no/such-folder", device="cpu")
