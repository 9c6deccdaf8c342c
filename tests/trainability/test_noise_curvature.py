import copy
import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from schedlab.trainability.probe import Probe, groups_by_layer
from schedlab.trainability.schedulers import PRESETS, LayerStatistics, NoiseCurvatureLR
from schedlab.trainability.schedulers.effective_step import effective_step, normaliser

LOSS = partial(F.cross_entropy, reduction="none")


def two_layers(lr=1.0):
    """Two layers under SGD, whose effective step is the learning rate."""
    groups = [{"params": [nn.Parameter(torch.ones(2, 2))], "lr": lr, "name": name} for name in "ab"]
    return torch.optim.SGD(groups)


def allowing(step: float) -> LayerStatistics:
    """Statistics whose gradient step is ``step``."""
    return LayerStatistics(1, step, 1.0)


@pytest.mark.parametrize(
    ("lr", "allowed", "update", "factor"),
    [
        (0.81, 1.0, 50, 0.99),  # above 0.8 of what is allowed
        (0.79, 1.0, 50, 1.0),
        (0.12, 0.1, 50, 1.0),  # not above the floor
        (0.13, 0.1, 50, 0.99),
        (0.13, 1.0, 9, 1.01),  # early, and below 0.3 * 0.8
        (0.13, 1.0, 10, 1.0),  # no longer early
        (0.25, 1.0, 9, 1.0),  # early, but not much below
        (0.5, 0.0, 50, 1.0),  # a zero gradient decides nothing
    ],
)
def test_one_decision_by_hand(lr, allowed, update, factor):
    optimizer = two_layers(lr)
    scheduler = NoiseCurvatureLR(optimizer, volatility="none")
    scheduler.new_task(updates=100)
    for _ in range(update):
        scheduler.step()
    scheduler.step({"a": allowing(allowed)})
    assert scheduler.get_last_lr() == [pytest.approx(lr * factor, rel=1e-12), lr]


def test_layers_decide_for_themselves_and_only_when_measured():
    optimizer = two_layers(0.5)
    scheduler = NoiseCurvatureLR(optimizer, volatility="none")
    for _ in range(5):
        scheduler.step({"a": allowing(0.1), "b": allowing(10.0)})
        scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(0.5 * 0.99**5), 0.5]
    assert [group["lr"] for group in optimizer.param_groups] == scheduler.get_last_lr()
    assert scheduler.last_epoch == scheduler._step_count == 10  # torch keeps two counters
    assert scheduler.history.query("layer == 'a'")["action"].tolist() == ["cool"] * 5


def test_the_warm_window_opens_anew_with_each_task_and_nothing_else_changes():
    scheduler = NoiseCurvatureLR(two_layers(0.13), volatility="none")
    actions = []
    for _ in range(2):
        scheduler.new_task(updates=20)
        for _ in range(4):
            scheduler.step({"a": allowing(1.0)})
    actions = scheduler.history["action"].tolist()
    assert actions == ["warm", "warm", "keep", "keep"] * 2
    assert len(scheduler.layers[0].window) == 8
    assert scheduler.history["task"].tolist() == [1] * 4 + [2] * 4


def test_without_a_task_length_nothing_warms():
    scheduler = NoiseCurvatureLR(two_layers(0.13), volatility="none")
    scheduler.step({"a": allowing(1.0)})
    assert scheduler.history["action"].tolist() == ["keep"]


def test_limits_hold_and_a_dry_run_only_records():
    scheduler = NoiseCurvatureLR(two_layers(0.5), volatility="none", min_factor=0.98)
    dry = NoiseCurvatureLR(two_layers(0.5), volatility="none", dry_run=True)
    for _ in range(4):
        scheduler.step({"a": allowing(0.1)})
        dry.step({"a": allowing(0.1)})
    assert scheduler.get_last_lr()[0] == 0.49
    assert dry.get_last_lr() == [0.5, 0.5]
    assert dry.history["action"].tolist() == ["cool"] * 4


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_is_not_finite_is_skipped_and_reported(broken):
    scheduler = NoiseCurvatureLR(two_layers(0.5), volatility="none")
    scheduler.step(
        {"a": LayerStatistics(8, broken, 1.0), "b": LayerStatistics(8, 1.0, 1.0, broken)}
    )
    assert scheduler.get_last_lr() == [0.5, 0.5]
    assert scheduler.history["action"].tolist() == ["skip", "skip"]
    assert not scheduler.layers[1].window


def test_volatility_is_taken_over_the_window_as_in_eq_1():
    scheduler = NoiseCurvatureLR(two_layers(0.5), window=3, normalise=False)
    for sharpness in (5.0, 1.0, 2.0, 6.0):
        scheduler.step({"a": LayerStatistics(10, 2.0, 1.0, sharpness)})
    mean = (1.0 + 2.0 + 6.0) / 3
    vol = (6.0 - mean) ** 2 / mean
    last = scheduler.history.iloc[-1]
    assert last["volatility"] == pytest.approx(vol)
    assert last["critical_step"] == pytest.approx(10 * 2.0 / (1.0 + 2.0 * vol))
    assert last["curvature_step"] == pytest.approx(2 * mean / (mean**2 + (6.0 - mean) ** 2))
    assert scheduler.history.iloc[0]["volatility"] == 0.0


@pytest.mark.parametrize(
    ("bound", "expected"), [("gradient", "cool"), ("curvature", "keep"), ("combined", "cool")]
)
def test_ablations_decide_by_one_bound(bound, expected):
    scheduler = NoiseCurvatureLR(two_layers(0.5), bound=bound, normalise=False)
    scheduler.step({"a": LayerStatistics(1, 0.1, 1.0, sharpness=1.0)})
    assert scheduler.history["action"].tolist() == [expected]


def test_late_groups_take_part_from_when_they_come():
    optimizer = two_layers(0.5)
    scheduler = NoiseCurvatureLR(optimizer, volatility="none")
    scheduler.step()
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], "lr": 0.4, "name": "late"})
    scheduler.step({"late": allowing(0.1)})
    assert scheduler.get_last_lr() == [0.5, 0.5, pytest.approx(0.4 * 0.99)]
    assert scheduler.layers[2].updates == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cool": 1.2}, r"cool must be in \(0, 1\], got 1.2"),
        ({"warm": 0.9}, "warm must be at least 1, got 0.9"),
        ({"volatility": "svar"}, "volatility must be of .*relative.*, got 'svar'"),
        ({"bound": "both"}, "bound must be of"),
        ({"window": 0}, "window must be at least 1"),
        ({"safety": 0.0}, "safety must be above 0"),
        ({"floor": -0.1}, "floor must be at least 0"),
        ({"early": 1.5}, r"early must be in \[0, 1\]"),
        ({"warm_below": 1.5}, r"warm_below must be in \[0, 1\]"),
        ({"beta": -1.0}, "beta must be at least 0"),
        ({"min_factor": 1.5}, r"min_factor must be in \[0, 1\]"),
        ({"max_factor": 0.5}, "max_factor must be at least 1"),
    ],
)
def test_constants_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        NoiseCurvatureLR(two_layers(), **options)


@pytest.mark.parametrize(
    "limits",
    [
        {"floor": 0.0, "window": 1, "beta": 0.0, "min_factor": 1.0, "max_factor": 1.0},
        {"cool": 1.0, "warm": 1.0, "early": 1.0, "warm_below": 1.0, "min_factor": 0.0},
        {"early": 0.0, "warm_below": 0.0, "max_factor": 1.0, "min_factor": 1.0},
    ],
)
def test_the_ends_of_the_ranges_are_allowed_and_hold_a_rate_where_they_must(limits):
    scheduler = NoiseCurvatureLR(two_layers(0.5), **limits)
    scheduler.new_task(updates=10)
    for allowed in (0.1, 10.0):  # far above and far below
        scheduler.step({"a": allowing(allowed), "b": allowing(allowed)})
    assert scheduler.get_last_lr() == [0.5, 0.5]


def test_an_unknown_layer_and_a_name_used_twice_are_refused():
    scheduler = NoiseCurvatureLR(two_layers())
    with pytest.raises(ValueError, match=r"unknown layer 'c'; there are \['a', 'b'\]"):
        scheduler.step({"c": allowing(1.0)})
    optimizer = torch.optim.SGD(
        [{"params": [nn.Parameter(torch.ones(2))], "name": "a"} for _ in range(2)], lr=0.1
    )
    with pytest.raises(ValueError, match="two parameter groups are called 'a'"):
        NoiseCurvatureLR(optimizer)


def regression():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
    inputs, targets = torch.randn(32, 6), torch.randint(3, (32,))
    return model, inputs, targets


OPTIMIZERS = {
    "Adam": lambda groups: torch.optim.Adam(groups),
    "AdamW": lambda groups: torch.optim.AdamW(groups, weight_decay=0.1),
    "AMSGrad": lambda groups: torch.optim.Adam(groups, amsgrad=True),
    "SGD": lambda groups: torch.optim.SGD(groups, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_trains_under_stock_optimizers_and_continues_bit_for_bit(name, tmp_path):
    def train(model, optimizer, scheduler, probe, updates):
        for update in updates:
            statistics = probe.measure(inputs, targets) if update % 2 == 0 else None
            scheduler.step(statistics)
            optimizer.zero_grad()
            LOSS(model(inputs), targets).mean().backward()
            optimizer.step()

    def build():
        model, _, _ = regression()
        optimizer = OPTIMIZERS[name](groups_by_layer(model, lr=0.3))
        scheduler = NoiseCurvatureLR(optimizer, cool=0.9, **PRESETS["l2"])
        scheduler.new_task(updates=20)
        # Cold vectors, so that a new probe measures what the old one would have.
        return model, optimizer, scheduler, Probe(model, optimizer, LOSS, iterations=0)

    _, inputs, targets = regression()
    whole = build()
    train(*whole, range(10))
    assert whole[2].get_last_lr() != [0.3, 0.3]
    first = build()
    train(*first, range(6))
    torch.save([part.state_dict() for part in first[:3]], tmp_path / "state.pt")
    second = build()
    states = torch.load(tmp_path / "state.pt", weights_only=True)
    for part, state in zip(second[:3], states, strict=True):
        part.load_state_dict(state)
    train(*second, range(6, 10))
    assert second[2].get_last_lr() == whole[2].get_last_lr()
    assert second[2].history.equals(whole[2].history)
    for a, b in zip(whole[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_effective_step_after_five_adam_updates_equals_the_formula():
    model, inputs, targets = regression()
    model, inputs = model.double(), inputs.double()
    optimizer = torch.optim.Adam(groups_by_layer(model, lr=0.01), betas=(0.8, 0.99), eps=1e-4)
    (group, _) = optimizer.param_groups
    assert effective_step(optimizer, group, 0) == 0.01
    for _ in range(5):
        optimizer.zero_grad()
        LOSS(model(inputs), targets).mean().backward()
        optimizer.step()
    v = optimizer.state[model[0].weight]["exp_avg_sq"]
    root = (v.mean() / (1 - 0.99**5)).sqrt()
    expected = 0.01 / ((1 - 0.8**5) * (float(root) + 1e-4))
    assert effective_step(optimizer, group, 5) == pytest.approx(expected, rel=1e-6)
    elementwise = (0.01 / ((1 - 0.8**5) * ((v / (1 - 0.99**5)).sqrt() + 1e-4))).mean()
    measured = effective_step(optimizer, group, 5, elementwise=True)
    assert measured == pytest.approx(float(elementwise), rel=1e-6)
    assert measured >= expected
    moments = torch.cat([s["exp_avg_sq"].flatten() for s in optimizer.state.values()])
    assert normaliser(optimizer, optimizer.param_groups) == pytest.approx(
        0.01 / (float(moments.mean().sqrt()) + 1e-4)
    )


def trained_adam():
    """A layer with two weights and a bias after three Adam updates of random gradients."""
    torch.manual_seed(3)
    weights = [nn.Parameter(torch.ones(size, dtype=torch.float64)) for size in ((2, 3), (4, 2), 3)]
    optimizer = torch.optim.Adam([{"params": weights, "name": "a"}], lr=0.01)
    for _ in range(3):
        for number, weight in enumerate(weights):
            weight.grad = (number + 1) * torch.randn_like(weight)
        optimizer.step()
    return optimizer, weights


def test_the_effective_step_of_a_layer_is_the_mean_over_its_weights():
    optimizer, weights = trained_adam()
    (group,) = optimizer.param_groups
    expected = []
    for weight in weights[:2]:  # the bias is left out
        v = optimizer.state[weight]["exp_avg_sq"].mean() / (1 - 0.999**3)
        expected.append(0.01 / ((1 - 0.9**3) * (float(v.sqrt()) + 1e-8)))
    assert expected[0] > 1.5 * expected[1]
    assert effective_step(optimizer, group, 3) == pytest.approx(sum(expected) / 2)


def test_sharpness_is_taken_relative_to_adams_preconditioner_unless_told_otherwise():
    optimizer, weights = trained_adam()
    moments = torch.cat([optimizer.state[w]["exp_avg_sq"].flatten() for w in weights])
    scale = 0.01 / (float(moments.mean().sqrt()) + 1e-8)
    for options, factor in [({}, scale), ({"normalise": False}, 1.0)]:
        scheduler = NoiseCurvatureLR(optimizer, **options)
        scheduler.step({"a": LayerStatistics(10, 1.0, 1.0, 3.0)})
        (record,) = scheduler.records
        assert record["normalised_sharpness"] == pytest.approx(3.0 * factor)


def test_without_a_second_moment_nothing_is_normalised():
    assert normaliser(two_layers(0.5), two_layers(0.5).param_groups) == 1.0
    fresh = torch.optim.Adam([nn.Parameter(torch.ones(2, 2))])
    assert normaliser(fresh, fresh.param_groups) == 1.0


def test_effective_step_of_momentum_grows_to_its_geometric_limit():
    model, _, _ = regression()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    (group,) = optimizer.param_groups
    assert [effective_step(optimizer, group, t) for t in (0, 1, 2)] == pytest.approx(
        [0.1, 0.1, 0.19]
    )
    assert effective_step(optimizer, group, 10_000) == pytest.approx(1.0)


def noisy_quadratic(lr: float, curvature: float, updates: int = 4000) -> float:
    """Run SGD on 0.5 λ ‖w‖² with per-sample noise N(0, I); return the final learning rate."""
    batch, dimensions = 16, 500
    generator = torch.Generator().manual_seed(0)
    weights = nn.Parameter(torch.zeros(dimensions))
    optimizer = torch.optim.SGD([{"params": [weights], "name": "w"}], lr=lr)
    scheduler = NoiseCurvatureLR(optimizer, volatility="none", floor=0.0, cool=0.99)
    for update in range(updates):
        noise = torch.randn(batch, dimensions, generator=generator)
        samples = curvature * weights.detach() + noise
        mean = samples.mean(0)
        variance = float((samples - mean).square().sum(1).mean())
        measured = LayerStatistics(batch, float(mean.square().sum()), variance)
        scheduler.step({"w": measured} if update % 10 == 0 and update >= 300 else None)
        weights.grad = mean
        optimizer.step()
    return scheduler.get_last_lr()[0]


def test_on_a_noisy_quadratic_it_stops_where_the_closed_form_says():
    # Stationary SGD has E α_g* = B/(B−1) · 2/(2 − lr λ), so cooling ends near the smaller root of
    # lr (2 − lr λ) = 2 γ B/(B−1).
    curvature, threshold = 0.5, 2 * 0.8 * 16 / 15
    root = (2 - math.sqrt(4 - 4 * curvature * threshold)) / (2 * curvature)
    assert 0.7 * root <= noisy_quadratic(lr=1.8, curvature=curvature) <= 1.05 * root
    start = 0.7 * root
    assert noisy_quadratic(lr=start, curvature=curvature, updates=1500) == start


def test_it_is_blind_where_the_closed_form_has_no_root():
    # λ = 1.9 and lr just below the limit of stability 2/λ: α_g* lies above lr all the way.
    assert noisy_quadratic(lr=1.0, curvature=1.9, updates=1500) == 1.0


def test_the_state_is_that_of_a_copy(tmp_path):
    scheduler = NoiseCurvatureLR(two_layers(0.5), volatility="none")
    state = copy.deepcopy(scheduler.state_dict())
    scheduler.step({"a": allowing(0.1)})
    scheduler.load_state_dict(state)
    assert scheduler.history.empty
    assert scheduler.last_epoch == 0
