from itertools import pairwise

import numpy as np
import pytest
import torch

from schedlab.trainability import streams
from schedlab.trainability.images import digits, labelled_digits


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_random_labels_keep_the_images_and_redraw_every_label(rng):
    inputs = torch.randn(4000, 3)
    stream = streams.random_labels(inputs, 3, rng, classes=10)
    assert all(task.inputs is inputs for task in stream)
    agreement = (stream[0].targets == stream[1].targets).float().mean()
    assert float(agreement) == pytest.approx(0.1, abs=0.02)
    assert torch.bincount(stream[2].targets, minlength=10).min() > 300


def test_shuffled_labels_rename_classes_and_keep_who_belongs_together(rng):
    labels = torch.arange(30) % 10
    stream = streams.shuffled_labels(torch.randn(30, 2), labels, 4, rng)
    for task in stream:
        assert all(len(set(task.targets[labels == c].tolist())) == 1 for c in range(10))
        assert sorted(set(task.targets.tolist())) == list(range(10))
    assert len({tuple(task.targets.tolist()) for task in stream}) == 4


def test_permuted_inputs_shuffle_all_samples_alike(rng):
    inputs, labels = torch.randn(5, 50), torch.arange(5)
    first, second = streams.permuted_inputs(inputs, labels, 2, rng)
    assert torch.equal(first.inputs.sort(1).values, inputs.sort(1).values)
    order = torch.stack([torch.nonzero(second.inputs[0] == x)[0, 0] for x in inputs[0]])
    assert torch.equal(second.inputs[:, order], inputs)
    assert not torch.equal(first.inputs, second.inputs)


def test_one_slow_bit_flips_between_tasks_and_the_target_stays(rng):
    stream = streams.flipped_bits(200, 6, rng)
    slow = [task.inputs[:, :15].unique(dim=0) for task in stream]
    assert all(len(rows) == 1 for rows in slow)
    changes = [int((a != b).sum()) for a, b in pairwise(slow)]
    assert changes == [1] * 5
    assert stream[0].targets.shape == (200, 1)
    # The same inputs have the same target in every task: put two tasks' rows together.
    rows = torch.cat([torch.cat([t.inputs, t.targets], 1) for t in stream])
    inputs, groups = rows[:, :20].unique(dim=0, return_inverse=True)
    for group in range(len(inputs)):
        assert len(rows[groups == group, 20].unique()) == 1


def test_a_threshold_unit_fires_as_published():
    # β = 1 and all weights 1: a unit fires only where more than all 21 inputs are on, so never.
    class Ones:
        def choice(self, values, size):
            return np.ones(size)

        def integers(self, low, high=None, size=None):
            return np.ones(size, int) if size is not None else 0

    (task,) = streams.flipped_bits(3, 1, Ones(), threshold=0.9)
    # One slow bit was flipped off: 19 bits and the constant, 20 > 21 · 0.9 fires.
    assert task.targets.flatten().tolist() == pytest.approx([10.0] * 3)


def test_digits_are_real_scaled_and_drawn_without_repetition(rng):
    images, labels = labelled_digits("mnist-5k", 300, rng)
    assert images.shape == (300, 784)
    assert float(images.mean()) == pytest.approx(0, abs=1e-5)
    assert float(images.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert len(images.unique(dim=0)) == 300
    assert set(labels.tolist()) == set(range(10))


@pytest.mark.parametrize(
    ("source", "count", "words"),
    [("mnist", 5, "allowed are mnist-5k, mnist-t10k"), ("mnist-5k", 5001, "has 5000 images")],
)
def test_wrong_images_are_refused(rng, source, count, words):
    with pytest.raises(ValueError, match=words):
        digits(source, count, rng)
