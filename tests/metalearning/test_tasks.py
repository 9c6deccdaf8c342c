"""Worlds of tasks: what is in them, what noise does, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, pearsonr

from schedlab.data.catalog import MIRROR
from schedlab.metalearning.tasks import make_world
from schedlab.metalearning.tasks.assays import assay_file
from schedlab.metalearning.tasks.characters import SCRIPTS, characters
from schedlab.metalearning.tasks.images import disjoint_groups, image_file
from schedlab.metalearning.tasks.noise import flip_labels
from schedlab.metalearning.tasks.scores import accuracy, negative_error, squared_correlation
from schedlab.metalearning.tasks.world import random_stream

FIELDS = ("x_support", "y_support", "x_query", "y_query", "noisy")
mirror = pytest.mark.skipif(not os.environ.get(MIRROR), reason=f"{MIRROR} names no folder")


def equal(one, other) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


@pytest.fixture
def stream():
    return random_stream(0, "test")


def test_letters_of_a_split_look_unlike_those_of_any_other():
    letters = characters()
    scripts = [name.split()[0] for name in letters.names]
    assert [SCRIPTS[script] for script in scripts] == letters.split.tolist()
    assert set(scripts) == set(SCRIPTS)
    flat = letters.images[:, 0].flatten(1)
    distances = torch.cdist(flat, flat).fill_diagonal_(torch.inf)
    assert distances.min() >= 2.0


def test_letters_are_ink_within_a_margin():
    images = characters().images
    assert images.shape[1:] == (12, 1, 14, 14)
    assert len(images) > 300
    assert images.min() == 0
    assert images.max() == 1
    border = torch.cat([images[..., [0, -1], :].flatten(), images[..., [0, -1]].flatten()])
    assert border.max() == 0
    inked = torch.stack([images.amax(axis).flatten(0, -2) > 0 for axis in (-1, -2)])
    place = torch.arange(14).expand_as(inked)
    last, first = place.where(inked, -1).amax(-1), place.where(inked, 99).amin(-1)
    assert (last - first + 1).amax(0).min() >= 11  # a letter fills height or width


def test_faces_differ_but_letters_differ_more():
    flat = characters().images.flatten(2)
    within = torch.cdist(flat, flat).mean()
    between = torch.cdist(flat.transpose(0, 1), flat.transpose(0, 1)).mean()
    assert 0 < within < between


@pytest.mark.parametrize("use", ["characters", "sinusoids"])
def test_worlds_repeat_themselves_and_differ_between_seeds(use, stream):
    first, again, other = (make_world({"use": use}, seed) for seed in (0, 0, 1))
    assert equal(first.validation, again.validation)
    assert equal(first.test, again.test)
    assert not torch.equal(first.test.x_query, other.test.x_query)
    assert equal(first.pool(6, random_stream(3, "a")), again.pool(6, random_stream(3, "a")))
    assert not first.test.noisy.any()
    assert not first.validation.noisy.any()


@pytest.mark.parametrize("use", ["characters", "sinusoids"])
@pytest.mark.parametrize("where", ["support", "query"])
def test_noise_changes_labels_of_noisy_tasks_alone(use, where):
    noise = {"share": 0.5, "strength": 0.8, "where": where}
    world = make_world({"use": use, "noise": noise}, 0)
    pool, clean = (draw(200, random_stream(1, "p")) for draw in (world.pool, world.clean))
    assert torch.equal(pool.x_support, clean.x_support)
    changed = {
        name: (getattr(pool, name) != getattr(clean, name)).flatten(1).any(1)
        for name in ("y_support", "y_query")
    }
    assert torch.equal(changed.pop(f"y_{where}"), pool.noisy)
    assert not next(iter(changed.values())).any()
    assert binomtest(int(pool.noisy.sum()), 200, 0.5).pvalue > 0.001


def test_more_noise_corrupts_the_same_tasks_in_the_same_way():
    little, much, all_of_them = (
        make_world({"use": "sinusoids", "noise": {"share": share}}, 0).pool(
            100, random_stream(1, "p")
        )
        for share in (0.2, 0.6, 1.0)
    )
    assert (little.noisy <= much.noisy).all()
    assert all_of_them.noisy.all()
    both = little.noisy & much.noisy
    assert torch.equal(little.y_support[both], much.y_support[both])


def test_flipping_four_of_five_labels_makes_them_uniform(stream):
    labels = torch.zeros(100_000, dtype=torch.long)
    counts = torch.bincount(flip_labels(labels, 5, 0.8, stream), minlength=5)
    assert (counts / 1e5 - 0.2).abs().max() < 0.01
    assert torch.equal(flip_labels(labels, 5, 0.0, stream), labels)


def test_added_noise_has_the_stated_deviation():
    world = make_world({"use": "sinusoids", "noise": {"share": 1.0, "strength": 4.0}}, 0)
    pool, clean = (draw(2000, random_stream(1, "p")) for draw in (world.pool, world.clean))
    assert float((pool.y_support - clean.y_support).std()) == pytest.approx(4.0, rel=0.03)


def test_tasks_of_a_pool_share_no_class_while_classes_last(stream):
    groups = disjoint_groups(53, 10, 5, stream)
    assert groups.unique().numel() == 50
    crowded = disjoint_groups(16, 10, 5, stream)
    assert crowded.shape == (10, 5)
    assert all(group.unique().numel() == 5 for group in crowded)


def test_a_task_shows_no_picture_twice_and_keeps_to_its_split(stream):
    world = make_world({"use": "characters"}, 0)
    for tasks, part in ((world.pool(20, stream), 0), (world.validation, 1), (world.test, 2)):
        assert (world.source.split[tasks.classes] == part).all()
        both = torch.cat([tasks.x_support, tasks.x_query], 1).flatten(2)
        distances = torch.cdist(both, both) + 9 * torch.eye(both.shape[1])
        assert distances.min() > 0


def test_labels_name_the_classes_in_order(stream):
    world = make_world({"use": "characters", "ways": 3, "shots": 2, "queries": 4}, 0)
    pool = world.pool(5, stream)
    for task in range(5):
        for image, label in zip(pool.x_query[task], pool.y_query[task], strict=True):
            drawn = world.source.images[pool.classes[task, label]]
            assert (drawn == image).flatten(1).all(1).any()


@pytest.mark.parametrize("use", ["characters", "sinusoids"])
def test_a_budget_limits_what_training_shows(use):
    world = make_world({"use": use, "budget": 16}, 0)
    pool = world.pool(400, random_stream(0, "p"))
    if use == "characters":
        assert pool.classes.unique().numel() == 16
        return
    x, y = 5 * pool.x_query[:, 0, 0], pool.y_query[:, 0, 0]
    amplitude, phase = world.curves.T
    exact = amplitude * torch.sin(x[:, None] + phase)
    assert (exact - y[:, None]).abs().min(1).values.max() < 1e-5


def test_sinusoids_are_the_functions_they_say(stream):
    pool = make_world({"use": "sinusoids"}, 0).pool(50, stream)
    assert (pool.x_support[..., 1] == 1).all()
    support, query = 5 * pool.x_support[..., :1], 5 * pool.x_query[..., :1]
    basis = torch.cat([torch.sin(support), torch.cos(support)], -1)
    fitted = torch.linalg.lstsq(basis, pool.y_support).solution
    unseen = torch.cat([torch.sin(query), torch.cos(query)], -1)
    assert torch.allclose(unseen @ fitted, pool.y_query, atol=1e-3)
    amplitude = fitted.norm(dim=1).flatten()
    assert torch.equal((4 * (amplitude - 0.1) / 4.9).long().clamp(0, 3), pool.group)


def test_scores_agree_with_scipy_and_by_hand(stream):
    x, y = torch.randn(2, 4, 9, 1, generator=stream)
    expected = [
        pearsonr(a.flatten(), b.flatten()).statistic ** 2 for a, b in zip(x, y, strict=True)
    ]
    assert torch.allclose(squared_correlation(x, y), torch.tensor(expected).float(), atol=1e-5)
    assert squared_correlation(torch.zeros(1, 5, 1), y[:1, :5]).tolist() == [0.0]
    assert torch.allclose(negative_error(x, y), -((x - y) ** 2).mean((1, 2)))
    logits = torch.tensor([[[0.1, 0.9], [0.8, 0.2]]])
    assert accuracy(logits, torch.tensor([[1, 1]])).tolist() == [0.5]
    assert accuracy(logits.expand(3, 1, 2, 2), torch.tensor([[1, 1]])).shape == (3, 1)


@pytest.mark.parametrize(
    ("world", "words"),
    [
        ({"use": "letters"}, "unknown 'letters'; allowed are characters"),
        ({"use": "characters", "shot": 1}, "shot"),
        ({"use": "characters", "noise": {"sahre": 1}}, "sahre"),
        ({"use": "characters", "noise": {"share": 1.5}}, "share must lie in"),
        ({"use": "characters", "noise": {"where": "both"}}, "support or query"),
        ({"use": "characters", "shots": 10}, "need 15 pictures"),
        ({"use": "characters", "budget": 4}, "between 5 ways and"),
        ({"use": "characters", "ways": 40}, "validation classes cannot fill 40"),
        ({"use": "sinusoids", "shots": 0}, "shots must be at least 1"),
    ],
)
def test_impossible_worlds_are_refused(world, words):
    with pytest.raises(ValueError, match=words):
        make_world(world, 0)


def test_a_flip_must_be_a_probability(stream):
    world = make_world({"use": "characters", "noise": {"share": 1.0, "strength": 4.0}}, 0)
    with pytest.raises(ValueError, match="must be a probability"):
        world.pool(3, stream)


def pictures(folder: Path, **changes) -> str:
    rng = np.random.default_rng(0)
    arrays = {
        "images": rng.integers(0, 256, (9, 6, 8, 8, 3), dtype=np.uint8),
        "split": np.repeat([0, 1, 2], 3),
    }
    path = folder / "pictures.npz"
    kept = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    np.savez(path, **kept)
    return str(path)


def test_pictures_of_a_file_make_a_world(tmp_path, stream):
    path = pictures(tmp_path)
    sizes = {"ways": 3, "shots": 2, "queries": 2, "validation_tasks": 2, "test_tasks": 3}
    world = make_world({"use": "images", "path": path, **sizes}, 0)
    assert world.shape == (3, 8, 8)
    assert world.pool(4, stream).x_support.shape == (4, 6, 3, 8, 8)
    stored = np.load(path)["images"]
    assert torch.equal(
        image_file(path).images[4, 5], torch.from_numpy(stored[4, 5]).permute(2, 0, 1) / 255
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, "lacks the array images"),
        ({"images": np.zeros((9, 6, 8, 8))}, "images: expected uint8"),
        ({"split": np.zeros(4)}, "split: expected 0, 1 or 2 for each class"),
        ({"split": np.array([{}] * 9)}, "no .npz of plain arrays"),
    ],
)
def test_bad_files_of_pictures_are_refused(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        image_file(pictures(tmp_path, **changes))


def assays(folder: Path, **changes) -> str:
    rng = np.random.default_rng(0)
    arrays = {
        "features": rng.normal(size=(90, 5)).astype(np.float32),
        "targets": np.arange(90, dtype=np.float32),
        "offsets": np.array([0, 20, 25, 50, 70, 90]),
        "split": np.array([0, 0, 0, 1, 2]),
    }
    path = folder / "assays.npz"
    kept = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    np.savez(path, **kept)
    return str(path)


def test_assays_of_a_file_make_a_world(tmp_path, stream):
    path = assays(tmp_path)
    world = make_world({"use": "assays", "path": path, "shots": 4, "queries": 6}, 0)
    assert world.shape == (5,)
    assert len(world.validation) == len(world.test) == 1
    rows = torch.cat([world.test.y_support, world.test.y_query], 1).flatten()
    assert rows.unique().numel() == 10
    assert rows.min() >= 70
    pool = world.pool(30, stream)
    drawn = torch.cat([pool.y_support, pool.y_query], 1).flatten(1)
    assert ((drawn < 20).all(1) | ((drawn >= 25) & (drawn < 50)).all(1)).all()
    first = int(drawn[0, 0])
    assert np.allclose(pool.x_support[0, 0], np.load(path)["features"][first])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"targets": np.zeros(7)}, "targets: expected one finite number per row"),
        ({"targets": np.full(90, np.nan)}, "targets: expected one finite number per row"),
        ({"offsets": np.array([0, 30, 20, 60, 80, 90])}, "offsets: expected numbers that rise"),
        ({"split": np.array([0, 0, 3, 1, 2])}, "split: expected 0, 1 or 2"),
        ({"features": np.zeros(90)}, "features: expected finite numbers"),
        ({"family": np.zeros(3)}, "family: expected one number"),
    ],
)
def test_bad_files_of_assays_are_refused(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        assay_file(assays(tmp_path, **changes))


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="give the path of an"):
        make_world({"use": "assays", "path": str(tmp_path / "none.npz")}, 0)
    path = tmp_path / "text.npz"
    path.write_text("no archive")
    with pytest.raises(ValueError, match="of plain arrays"):
        image_file(str(path))


def test_assays_with_too_few_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no training assay has 40 shots"):
        make_world({"use": "assays", "path": assays(tmp_path), "shots": 40}, 0)
    sizes = {"shots": 4, "queries": 6, "budget": 3}
    with pytest.raises(ValueError, match="budget must not exceed the 2"):
        make_world({"use": "assays", "path": assays(tmp_path), **sizes}, 0)


@mirror
def test_fsmol_keeps_its_assays_apart(stream):
    world = make_world({"use": "fsmol", "noise": {"share": 0.6, "strength": 4.0}}, 0)
    assert len(world.test) == 157
    assert world.shape == (1024,)
    assert len(world.assays) == 2253  # of at least 48 rows
    pool = world.pool(12, stream)
    bits = pool.x_support.sum(-1)
    assert pool.x_support.unique().tolist() == [0, 1]
    assert 30 < bits.mean() < 70
    noisy, rest = pool.y_support[pool.noisy].std(), pool.y_support[~pool.noisy].std()
    assert noisy > 2 * rest


@mirror
def test_omniglot_keeps_its_alphabets_apart(stream):
    world = make_world({"use": "omniglot"}, 0)
    alphabets = {
        part: {
            n.split()[0]
            for n, s in zip(world.source.names, world.source.split, strict=True)
            if s == part
        }
        for part in range(3)
    }
    assert alphabets[2] == {"Greek", "Latin", "Early_Aramaic"}
    assert not alphabets[0] & alphabets[1]
    assert not alphabets[0] & alphabets[2]
    assert world.pool(4, stream).x_support.shape == (4, 25, 1, 14, 14)
