import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedlab.trainability.schedulers.bounds import (
    VOLATILITIES,
    cantelli_step,
    critical_step,
    curvature_step,
    gradient_noise_step,
    volatility_step,
)

positive = st.floats(1e-6, 1e6)


@given(st.integers(1, 4096), positive, positive, positive, st.floats(0, 100))
def test_the_inverse_of_the_combined_step_is_noise_plus_volatility(batch, g, variance, vol, beta):
    combined = 1 / critical_step(batch, g, variance, vol, beta)
    parts = 1 / gradient_noise_step(batch, g, variance) + beta * vol / batch
    assert combined == pytest.approx(parts, rel=1e-10)


@pytest.mark.parametrize("batch", [16, 64, 256])
def test_pure_noise_puts_the_gradient_step_at_one_whatever_the_batch(batch):
    rng = np.random.default_rng(3)
    gradients = rng.standard_normal((400, batch, 50))
    mean = gradients.mean(1)
    variance = (np.square(gradients - mean[:, None])).sum(2).mean(1)
    steps = [
        gradient_noise_step(batch, g, v)
        for g, v in zip(np.square(mean).sum(1), variance, strict=True)
    ]
    error = np.std(steps) / np.sqrt(len(steps))
    assert np.mean(steps) == pytest.approx(batch / (batch - 1), abs=3 * error + 1e-3)


def test_a_signal_raises_the_gradient_step_by_its_share():
    rng = np.random.default_rng(4)
    gradients = rng.standard_normal((400, 64, 50)) + 0.5
    mean = gradients.mean(1)
    variance = (np.square(gradients - mean[:, None])).sum(2).mean(1)
    steps = 64 * np.square(mean).sum(1) / variance
    assert steps.mean() == pytest.approx(64 * 0.25 + 1, rel=0.05)


def test_curvature_step_contracts_the_top_mode_as_its_constant_says():
    mean, deviation_sq, contraction = 3.0, 2.0, 0.5
    alpha = curvature_step(mean, deviation_sq, contraction)
    linear, quadratic = alpha * mean, alpha**2 * (mean**2 + deviation_sq) / 2
    assert quadratic == pytest.approx(contraction * linear)


def test_curvature_step_tends_to_twice_the_volatility_step():
    mean, deviation_sq = 1e-3, 10.0
    vol = deviation_sq / mean
    assert curvature_step(mean, deviation_sq) == pytest.approx(2 * volatility_step(vol), rel=1e-6)


def test_cantelli_step_bounds_the_probability_of_instability():
    rng = np.random.default_rng(5)
    sharpness = rng.gamma(2.0, 1.5, 100_000)
    step = cantelli_step(sharpness.mean(), sharpness.var(), risk=0.05)
    assert np.mean(step * sharpness >= 2) <= 0.05
    assert cantelli_step(2.0, 0.0, risk=0.05) == 1.0


def test_what_nothing_limits_is_infinite_and_a_zero_gradient_allows_nothing():
    assert gradient_noise_step(8, 1.0, 0.0) == math.inf
    assert gradient_noise_step(8, 0.0, 1.0) == 0.0
    assert critical_step(8, 1.0, 0.0, 0.0, 1.0) == 8e12


def test_volatilities_by_hand():
    assert {name: vol(3.0, 2.0) for name, vol in VOLATILITIES.items()} == {
        "relative": pytest.approx(0.5),
        "variance": 1.0,
        "sharpness": 3.0,
        "fourth": pytest.approx(20.25),
        "none": 0.0,
    }
    assert VOLATILITIES["fourth"](3.0, 0.0) == 0.0
