from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from schedlab.lab.seeds import generator
from schedlab.trainability.experiment import indicators, quadratic, random_labels, streams
from schedlab.trainability.experiment.arms import chunks, fleet_of
from schedlab.trainability.fleet import Fleet
from schedlab.trainability.labels import AS_WRITTEN, FINAL, RESET, SCHEDULED, VANILLA
from schedlab.trainability.networks import perceptron
from schedlab.trainability.parameters import MODELS
from schedlab.trainability.remedies import reset
from schedlab.trainability.schedulers import NoiseCurvatureLR
from schedlab.trainability.streams import Task
from schedlab.trainability.streams import random_labels as stream_of
from schedlab.trainability.training import Course, train

LOSS = partial(F.cross_entropy, reduction="none")
TINY = {
    "images": "mnist-5k",
    "samples": 96,
    "tasks": 2,
    "epochs": 2,
    "batch_size": 32,
    "widths": [784, 8, 8, 10],
    "lr": 0.01,
    "weight_decay": 0.001,
    "interval": 2,
    "iterations": 2,
    "tolerance": 0.1,
    "seeds": [1, 2],
    "stack": 1,
    "device": "cpu",
}
ARMS = {
    "schedulers": [
        {"use": "constant", "label": VANILLA, "options": {"factor": 1.0}},
        {"use": "noise_curvature", "label": SCHEDULED, "options": {"cool": 0.5, "floor": 0.0}},
        {"use": "plateau", "label": "Plateau", "options": {"patience": 0, "threshold": 10.0}},
        {"use": "cosine", "label": "Cosine", "options": {"T_max": 12}},
    ],
    "remedies": [{"use": "reset", "label": RESET}],
    "regularisers": [{"use": "l2_init", "label": "L2-Init", "options": {"strength": 0.5}}],
}


@pytest.fixture(scope="module")
def table():
    parameters = MODELS["l2"](**TINY, **ARMS, activation="relu", penalty="", penalty_strength=0.0)
    return random_labels.compare(parameters)


def test_every_arm_has_a_row_per_seed_and_task_and_equal_first_tasks_where_it_may(table):
    accuracy = random_labels.accuracies(table)
    arms = [VANILLA, SCHEDULED, "Plateau", "Cosine", RESET, "L2-Init", FINAL]
    assert list(dict.fromkeys(accuracy["arm"])) == arms
    assert accuracy.groupby("arm").size().tolist() == [4] * 7
    assert accuracy["accuracy"].between(0, 1).all()
    first = accuracy[accuracy["task"] == 1].set_index(["arm", "seed"])["accuracy"]
    assert first[VANILLA].tolist() == first[RESET].tolist()  # the remedy waits for the second
    second = accuracy[accuracy["task"] == 2].set_index(["arm", "seed"])["accuracy"]
    assert second[VANILLA].tolist() != second[RESET].tolist()


def test_schedules_end_where_they_should(table):
    ends = table.groupby(["arm", "seed", "layer"])["lr"].last()
    assert (ends[VANILLA] == 0.01).all()
    assert ends["Cosine"].max() < 1e-9  # half a period of 12 updates
    assert ends["Plateau"].max() < 0.01
    assert ends[FINAL].tolist() == ends[SCHEDULED].tolist()
    decided = random_labels.decisions(table, 0.01)
    assert set(decided["arm"]) == {SCHEDULED}
    assert decided.groupby(["seed", "layer"]).size().tolist() == [6] * 6
    assert (decided["action"] == "cool").any()
    assert (decided["relative_lr"] == decided["lr"] / 0.01).all()


def test_stacking_changes_nothing_but_rounding(table):
    parameters = MODELS["l2"](
        **{**TINY, "stack": 2},
        schedulers=ARMS["schedulers"][:2],
        remedies=[],
        regularisers=[],
        activation="relu",
        penalty="",
        penalty_strength=0.0,
    )
    together = random_labels.compare(parameters)
    for arm in (VANILLA, SCHEDULED):
        pair = [
            t[t["arm"] == arm].sort_values(["seed", "task", "layer", "update"]).reset_index()
            for t in (table, together)
        ]
        assert pair[0]["score"].tolist() == pytest.approx(pair[1]["score"].tolist(), abs=0.02)
        assert pair[0]["lr"].tolist() == pytest.approx(pair[1]["lr"].tolist(), rel=1e-3)
    assert chunks([1, 2, 3], 2) == [[1, 2], [3]]


def test_a_regulariser_takes_the_place_of_weight_decay():
    setting = {**TINY, "activation": "relu", "penalty": "", "penalty_strength": 0.0}
    entry = {"use": "l2_init", "label": "L2-Init", "options": {"strength": 0.5}}
    fleet, initial = fleet_of(setting, [1], entry), fleet_of(setting, [1])
    assert {group["weight_decay"] for group in fleet.optimizers[0].param_groups} == {0.0}
    assert {group["weight_decay"] for group in initial.optimizers[0].param_groups} == {0.001}
    assert fleet.penalty(fleet.weights).tolist() == [0.0]
    moved = {name: weight + 2 for name, weight in initial.weights.items()}
    size = sum(weight.numel() for weight in moved.values())
    assert float(fleet.penalty(moved)) == pytest.approx(0.5 * 4 * size, rel=1e-4)


def test_scores_are_means_over_minibatches_before_their_updates():
    fleet = Fleet(
        [perceptron((4, 8, 3), "relu", np.random.default_rng(0))], torch.optim.SGD, LOSS, lr=0.0
    )
    inputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    stream = stream_of(inputs, 2, np.random.default_rng(0), classes=3)
    course = Course(epochs=1, batch_size=8, interval=5)
    scores, _ = train(
        fleet, [stream], course, lambda o: LRSchedulerThatDoesNothing(o), None, [generator(0, "o")]
    )
    order = generator(0, "o").permutation(20)
    right = (fleet.models[0](inputs).argmax(1) == stream[0].targets).float().numpy()[order]
    expected = np.mean([right[:8].mean(), right[8:16].mean(), right[16:].mean()])
    assert float(scores[0, 0]) == pytest.approx(expected)


class LRSchedulerThatDoesNothing(LRScheduler):
    def get_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups]


class Witness(LRSchedulerThatDoesNothing):
    """A user's own scheduler, which is told of tasks and called after every update."""

    def __init__(self, optimizer):
        self.told = []
        super().__init__(optimizer)

    def new_task(self, updates):
        self.told.append((self.last_epoch, updates))


def test_a_users_scheduler_hears_of_tasks_and_advances_every_update():
    fleet = Fleet(
        [perceptron((4, 8, 3), "relu", np.random.default_rng(0))], torch.optim.SGD, LOSS, lr=0.1
    )
    stream = [Task(torch.randn(20, 4), torch.randint(3, (20,))) for _ in range(2)]
    course = Course(epochs=2, batch_size=8, interval=5)
    seen = []
    _, (witness,) = train(
        fleet,
        [stream],
        course,
        Witness,
        reset,
        [generator(0, "o")],
        observe=lambda task, member, before: seen.append((task, member, len(before))),
    )
    assert witness.told == [(0, 6), (6, 6)]
    assert witness.last_epoch == 12
    assert seen == [(0, 0, 4), (1, 0, 4)]


def test_the_scheduler_is_measured_every_interval_and_told_the_task_length():
    fleet = Fleet(
        [perceptron((4, 8, 3), "relu", np.random.default_rng(0))], torch.optim.SGD, LOSS, lr=0.1
    )
    stream = [Task(torch.randn(20, 4), torch.randint(3, (20,))) for _ in range(2)]
    course = Course(epochs=2, batch_size=8, interval=4, probe={"iterations": 1})
    _, (scheduler,) = train(fleet, [stream], course, NoiseCurvatureLR, None, [generator(0, "o")])
    assert scheduler.history.query("layer == 'fc1'")["update"].tolist() == [0, 4, 6, 10]
    assert scheduler.task_length == 6


def test_real_valued_targets_score_their_squared_error():
    parameters = MODELS["streams"](
        **{**TINY, "widths": [784, 8, 8, 10], "seeds": [1]},
        schedulers=ARMS["schedulers"][:1],
        remedies=[],
        streams=["shuffled_labels", "permuted_inputs", "flipped_bits"],
        bit_samples=64,
        bit_widths=[20, 5, 1],
    )
    table = streams.compare(parameters)
    assert table.groupby("stream").size().tolist() == [2, 2, 2]
    assert (table["score"] > 0).all()
    scores = table.set_index("stream")["score"]
    assert scores["shuffled_labels"].max() <= 1


def test_indicators_come_with_the_bounds_that_were_exceeded():
    parameters = MODELS["indicators"](
        **{**TINY, "seeds": [1]}, methods=["plain", "crelu"], penalty_strength=0.001
    )
    by_task, history = indicators.watch(parameters)
    assert by_task.groupby("method").size().tolist() == [2, 2]
    assert set(history["layer"]) == {"fc1", "fc2", "fc3"}
    exceeds = by_task[["exceeds_gradient", "exceeds_curvature", "exceeds_combined"]]
    assert ((exceeds >= 0) & (exceeds <= 1)).all(axis=None)
    # The combined bound is never above the gradient's, so it is exceeded at least as often.
    assert (by_task["exceeds_combined"] >= by_task["exceeds_gradient"]).all()
    predicted = indicators.predictions(by_task)
    assert predicted.groupby("bound").size().tolist() == [4, 4, 4]


def test_predictions_are_scaled_to_the_range_of_accuracies():
    by_task = pd.DataFrame(
        {
            "method": "l2",
            "seed": 1,
            "task": [1, 2, 3],
            "accuracy": [0.9, 0.5, 0.7],
            "exceeds_gradient": [0.0, 1.0, 0.25],
            "exceeds_curvature": [0.5, 0.5, 0.5],
            "exceeds_combined": [0.2, 0.6, 0.4],
        }
    )
    predicted = indicators.predictions(by_task).pivot_table("predicted", "task", "bound")
    assert predicted["gradient"].tolist() == pytest.approx([0.9, 0.5, 0.8])
    assert predicted["combined"].tolist() == pytest.approx([0.9, 0.5, 0.7])
    assert predicted["curvature"].tolist() == pytest.approx([0.7, 0.7, 0.7])


def test_the_quadratic_is_run_from_each_start_and_where_there_is_no_root():
    parameters = MODELS["quadratic"](
        dimensions=50,
        batch_size=8,
        curvatures=[0.4],
        starts=[0.5, 1.2],
        blind_curvature=1.9,
        blind_lr=1.0,
        updates=40,
        interval=10,
        cool=0.9,
        seeds=[1, 2],
    )
    table = quadratic.cooling(parameters)
    assert table.groupby("seed").size().tolist() == [12, 12]
    assert table["resting_lr"].isna().sum() == 8
    above = table[table["start"] > 1]
    assert (above["first_lr"] / above["resting_lr"]).round(9).eq(1.2).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activation": "tanh"}, "allowed are relu, crelu"),
        ({"penalty": "l1"}, "allowed are .*wasserstein"),
        ({"images": "mnist"}, "allowed are mnist-5k"),
        ({"remedies": [{"use": "redoo", "label": "x"}]}, "did you mean 'redo'"),
        ({"regularisers": [{"use": "l2init"}]}, "did you mean 'l2_init'"),
        ({"regularisers": [{"use": "l2_init", "options": {"weight": 1}}]}, "strength"),
        ({"schedulers": [{"use": "constant", "options": {"factr": 1}}]}, "factr"),
        ({"remedies": [{"use": "reset", "label": VANILLA}]}, "labels two arms"),
        ({"tasks": 1}, "greater than or equal to 2"),
    ],
)
def test_senseless_parameters_are_refused(change, words):
    values = {**TINY, **ARMS, "activation": "relu", "penalty": "", "penalty_strength": 0.0}
    with pytest.raises(ValueError, match=words):
        MODELS["l2"](**{**values, **change})
    assert AS_WRITTEN != SCHEDULED
