"""Best responses of sender and receiver on a grid of errors, for many starts at once.

Scalar linear plant, error of prediction ``e`` and age ``k``; the receiver's estimate is the
prediction plus a bias ``b_k``. For a given receiver the sender's best response is

    V_k(e) = min{price + discount c, (e - b_k)² + discount E V_{k+1}(a e + w)},   c = E V_1(w),

so that all that links the cycles from message to message is one number, ``c``. For a given sender
the receiver's is the mean of the belief, ``b_k = E[e | silent up to age k]``. The last age of the
tables stands for all later ones.

Arrays have a leading axis of *starts*: independent problems with the same noise, which may differ
in biases and price.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schedlab.estimation.cells import Cells

LEAST_MASS = 1e-9  # of a belief that is still followed
TAIL = 400  # most ages to follow


@dataclass(frozen=True)
class Sender:
    """Silent sets and what a message is worth.

    Attributes
    ----------
    advantage
        Cost of silence minus cost of a message, shape ``(starts, ages, cells)``.
    """

    advantage: np.ndarray

    @cached_property
    def silent(self) -> np.ndarray:
        """Share of each cell where silence is no dearer, the advantage linear between centres."""
        here = self.advantage
        inner = (here[..., 1:] + here[..., :-1]) / 2
        left = np.concatenate([here[..., :1], inner], axis=-1)
        right = np.concatenate([inner, here[..., -1:]], axis=-1)
        return (_share_below_zero(left, here) + _share_below_zero(here, right)) / 2

    @cached_property
    def silent_cells(self) -> np.ndarray:
        """The same by whole cells, 1 or 0: the best response on the grid itself."""
        return (self.advantage <= 0).astype(float)


def _share_below_zero(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the share of a straight line between two values that is not above zero."""
    below = np.maximum(-start, 0) + np.maximum(-end, 0)
    total = np.abs(start) + np.abs(end)
    return np.divide(below, total, out=np.ones_like(total), where=total > 0)


@dataclass(frozen=True)
class Outcome:
    """What a pair does in the cycle from one message to the next, shapes ``(starts, ...)``.

    Attributes
    ----------
    cost
        ``(1 - discount) J``.
    rate, mse
        Messages and squared error per step in the long run.
    means
        Mean of the belief after silence by age, missing where silence is (almost) impossible.
    """

    cost: np.ndarray
    rate: np.ndarray
    mse: np.ndarray
    means: np.ndarray


def best_sender(
    cells: Cells,
    biases: np.ndarray,
    prices: np.ndarray,
    discount: float,
    cost: np.ndarray | None = None,
    *,
    whole: bool = False,
) -> tuple[Sender, Outcome]:
    """Return the sender's best response to given biases, by policy iteration on ``c``.

    Parameters
    ----------
    cells
        The grid.
    biases
        Shape ``(starts, ages)``.
    prices
        Cost of a message, shape ``(starts,)``.
    discount
        Per step.
    cost
        A first guess of ``(1 - discount) J``; by default that of sending always.
    whole
        Whether silent sets are made of whole cells. Then the response is the best on the grid,
        so that alternation cannot raise the cost; cut cells are closer to the continuous plant.
    """
    found = prices if cost is None else cost
    tail = None
    for _ in range(30):
        sender, tail = improve(cells, biases, prices, discount, found, tail)
        silent = sender.silent_cells if whole else sender.silent
        outcome = evaluate(cells, silent, biases, prices, discount)
        change, found = np.abs(outcome.cost - found).max(), outcome.cost
        if change < 1e-8:
            break
    return sender, outcome


def improve(
    cells: Cells,
    biases: np.ndarray,
    prices: np.ndarray,
    discount: float,
    cost: np.ndarray,
    tail: np.ndarray | None = None,
) -> tuple[Sender, np.ndarray]:
    """Return the sender that is best if a message leads to ``cost``, and its last value."""
    send = (prices + discount * cost / (1 - discount))[:, None]
    onward = cells.transition.T
    error = squared_error(cells, biases)
    value = np.broadcast_to(send, error[:, -1].shape) if tail is None else np.minimum(tail, send)
    for _ in range(500):
        before, value = value, np.minimum(send, error[:, -1] + discount * value @ onward)
        if np.abs(value - before).max() < 1e-8:
            break
    last = value
    advantage = np.empty_like(error)
    for k in range(biases.shape[1] - 1, -1, -1):
        silence = error[:, k] + discount * value @ onward
        advantage[:, k] = silence - send
        value = np.minimum(send, silence)
    return Sender(advantage), last


def evaluate(
    cells: Cells, silent: np.ndarray, biases: np.ndarray, prices: np.ndarray, discount: float
) -> Outcome:
    """Follow the belief from a message until silence has died out.

    Parameters
    ----------
    cells
        The grid.
    silent
        Probability of silence, shape ``(starts, ages, cells)``.
    biases, prices, discount
        As in :func:`best_sender`.
    """
    starts, ages = biases.shape
    error_by_age = squared_error(cells, biases)
    belief = np.tile(cells.first, (starts, 1))
    totals = np.zeros((5, starts))  # discounted: cost, return; plain: length, error, messages
    mass, moment = np.zeros((2, starts, ages))
    for k in range(TAIL):
        row = min(k, ages - 1)
        quiet = belief * silent[:, row]
        survives, sends = quiet.sum(axis=1), (belief - quiet).sum(axis=1)
        wrong = (quiet * error_by_age[:, row]).sum(axis=1)
        weight = discount**k
        totals += (
            weight * (wrong + prices * sends),
            weight * discount * sends,
            belief.sum(axis=1),
            wrong,
            sends,
        )
        mass[:, row] += weight * survives
        moment[:, row] += weight * (quiet @ cells.centres)
        if survives.max() < LEAST_MASS:
            break
        belief = quiet @ cells.transition
    spent, returned, length, error, messages = totals
    means = np.where(mass > LEAST_MASS, moment / np.maximum(mass, LEAST_MASS), np.nan)
    cost = (1 - discount) * spent / (1 - returned)
    return Outcome(cost, messages / length, error / length, means)


def squared_error(cells: Cells, biases: np.ndarray) -> np.ndarray:
    """Return ``(e - b_k)²`` at the centres, shape ``(starts, ages, cells)``."""
    return (cells.centres - biases[..., None]) ** 2
