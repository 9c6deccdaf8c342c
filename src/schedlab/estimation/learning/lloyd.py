"""A start for the estimator: silence as one cell of a quantiser, with a message as the way out.

Alternation from zero biases can stay where it is (always sending leaves no silence to learn from,
and a symmetric pair is a saddle). Lloyd's iteration on noise samples finds the cell
``||x - b||^2 < price`` and its mean ``b`` age by age. It is a device of ours, not of the paper.
"""

import numpy as np

from schedlab.estimation.plants import Problem

ITERATIONS = 10
FEWEST = 5  # survivors below which a cell's centre stays


def lloyd_biases(
    problem: Problem,
    last: np.ndarray,
    price: float,
    rng: np.random.Generator,
    *,
    ages: int,
    samples: int,
    tries: int,
) -> np.ndarray:
    """Return a bias for every age after each of some messages.

    Parameters
    ----------
    problem
        Plant and weight.
    last
        Messages, ``(contexts, d)``; one is enough for a linear plant.
    price
        Cost of a message.
    rng
        Random stream.
    ages
        Ages to go through.
    samples, tries
        Samples per context, and random first centres of which the best is kept.

    Returns
    -------
    Centres relative to the noise-free prediction, ``(ages, contexts, d)``.
    """
    plant = problem.plant
    particles = np.repeat(last[:, None], samples, axis=1)
    predicted, biases = last, []
    for _ in range(ages):
        noise = plant.noise.sample(rng, (*particles.shape[:2], plant.noise_dimension))
        particles = plant.transition(particles, noise, np)
        predicted = plant.transition(predicted, np.zeros_like(noise[:, 0]), np)
        errors = particles - predicted[:, None]
        centre = _settled(errors, _first_centre(errors, problem, price, rng, tries), problem, price)
        biases.append(centre)
        silent = _distance(errors, centre, problem) < price
        particles = _resampled(particles, silent, rng)
    return np.stack(biases)


def _distance(errors: np.ndarray, centre: np.ndarray, problem: Problem) -> np.ndarray:
    return problem.squared_error(errors, centre[:, None])


def _first_centre(
    errors: np.ndarray, problem: Problem, price: float, rng: np.random.Generator, tries: int
) -> np.ndarray:
    """Return each context's best of some random samples under ``mean(min(distance, price))``."""
    contexts, samples, _ = errors.shape
    chosen = rng.integers(samples, size=(tries, contexts))
    candidates = errors[np.arange(contexts), chosen]
    costs = [np.minimum(_distance(errors, c, problem), price).mean(1) for c in candidates]
    return candidates[np.argmin(costs, axis=0), np.arange(contexts)]


def _settled(errors: np.ndarray, centre: np.ndarray, problem: Problem, price: float) -> np.ndarray:
    """Move centres to the means of their cells until they rest."""
    for _ in range(ITERATIONS):
        silent = _distance(errors, centre, problem) < price
        count = silent.sum(1)
        mean = np.einsum("cs,csd->cd", silent, errors) / np.maximum(count, 1)[:, None]
        centre = np.where((count >= FEWEST)[:, None], mean, centre)
    return centre


def _resampled(particles: np.ndarray, silent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw as many particles again from each context's silent ones (from all, if too few)."""
    contexts, samples = silent.shape
    alive = silent | (silent.sum(1) < FEWEST)[:, None]
    order = np.argsort(~alive, axis=1, kind="stable")
    drawn = (rng.random((contexts, samples)) * alive.sum(1)[:, None]).astype(int)
    rows = np.arange(contexts)[:, None]
    return particles[rows, order[rows, drawn]]
