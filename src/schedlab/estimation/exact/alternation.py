"""Alternating exact best responses: person-by-person optima of sender and receiver.

Each round the sender answers the receiver's biases and the receiver the sender's silent sets, as
Molin and Hirche (arXiv:1203.4980) alternate them; the cost cannot rise. Where it ends
depends on where it starts, so several starts are taken and the best end is kept.
"""

from dataclasses import dataclass

import numpy as np

from schedlab.estimation.cells import Cells
from schedlab.estimation.exact.responses import Outcome, Sender, best_sender, evaluate

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Equilibria:
    """Where alternation led, one entry per start.

    Attributes
    ----------
    biases
        Shape ``(starts, ages)``.
    sender
        The sender's best response to them.
    outcome
        What the pair costs.
    costs
        Cost after each round by whole cells, shape ``(rounds, starts)``.
    """

    biases: np.ndarray
    sender: Sender
    outcome: Outcome
    costs: np.ndarray

    @property
    def best(self) -> int:
        """The start that led to the least cost."""
        return int(np.argmin(self.outcome.cost))


def alternate(
    cells: Cells,
    starts: np.ndarray,
    prices: np.ndarray,
    discount: float,
    *,
    rounds: int = 100,
    polish: bool = True,
) -> Equilibria:
    """Alternate exact best responses from given biases until the cost stands still.

    First by whole cells, where the cost cannot rise; then with silent sets that cut cells, which
    are closer to the continuous plant and free of the steps in which a grid can get stuck.

    Parameters
    ----------
    cells
        The grid.
    starts
        First biases, shape ``(starts, ages)``.
    prices
        Cost of a message, shape ``(starts,)``.
    discount
        Per step.
    rounds
        Most rounds.
    polish
        Whether to go on with silent sets that cut cells.
    """
    prices = np.asarray(prices, dtype=float)
    biases, costs = _rounds(cells, starts, prices, discount, rounds, whole=True)
    last = costs[-1]
    if polish:
        biases, polished = _rounds(cells, biases, prices, discount, rounds, whole=False)
        last = polished[-1]
    sender, outcome = best_sender(cells, biases, prices, discount, last)
    return Equilibria(biases, sender, outcome, costs)


def _rounds(
    cells: Cells,
    starts: np.ndarray,
    prices: np.ndarray,
    discount: float,
    rounds: int,
    *,
    whole: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return biases after at most so many rounds, and the costs after each."""
    biases, cost, costs = np.array(starts, dtype=float), prices.copy(), []
    moving = np.arange(len(biases))
    for _ in range(rounds):
        now, price = biases[moving], prices[moving]
        _, outcome = best_sender(cells, now, price, discount, cost[moving], whole=whole)
        settled = np.abs(outcome.cost - cost[moving]) < TOLERANCE
        cost[moving] = outcome.cost
        costs.append(cost.copy())
        heard = np.where(np.isnan(outcome.means), now, outcome.means)
        biases[moving[~settled]] = heard[~settled]
        moving = moving[~settled]
        if not len(moving):
            break
    return biases, np.stack(costs)


def estimator_only(
    cells: Cells, biases: np.ndarray, sender: Sender, prices: np.ndarray, discount: float
) -> tuple[np.ndarray, Outcome]:
    """Return the receiver's best response to a sender that does not react, and the outcome."""
    heard = evaluate(cells, sender.silent, biases, prices, discount).means
    found = np.where(np.isnan(heard), biases, heard)
    return found, evaluate(cells, sender.silent, found, prices, discount)


def lloyd_start(
    cells: Cells, price: float, ages: int, rng: np.random.Generator, *, tries: int = 1
) -> np.ndarray:
    """Return first biases that take silence for one cell of a quantiser.

    At every age, from the belief given earlier silence: a bias ``x``, best of some random ones,
    then ten rounds of ``x <- E[e | (e - x)² < price]``, as in Lloyd's algorithm. A device of this
    reconstruction.

    Parameters
    ----------
    cells
        The grid.
    price
        Cost of a message.
    ages
        Length of the table.
    rng
        Draws the candidates.
    tries
        Candidates per age.
    """
    belief, biases = cells.first, np.zeros(ages)
    for k in range(ages):
        drawn = rng.choice(cells.centres, size=tries, p=belief / belief.sum())
        loss = np.minimum((cells.centres - drawn[:, None]) ** 2, price) @ belief
        at = drawn[np.argmin(loss)]
        for _ in range(10):
            inside = belief * ((cells.centres - at) ** 2 < price)
            if inside.sum() < 1e-3:
                break
            at = inside @ cells.centres / inside.sum()
        biases[k:] = at
        if inside.sum() < 1e-3:
            break
        belief = inside / inside.sum() @ cells.transition
    return biases


def silent_pieces(centres: np.ndarray, advantage: np.ndarray) -> list[tuple[float, float]]:
    """Return the intervals in which silence is no dearer, their ends linear between centres.

    Parameters
    ----------
    centres
        Errors, ascending.
    advantage
        Cost of silence minus cost of a message, same shape.
    """
    sign = np.signbit(advantage)
    flips = np.flatnonzero(sign[1:] != sign[:-1])
    share = advantage[flips] / (advantage[flips] - advantage[flips + 1])
    ends = (centres[flips] + share * (centres[flips + 1] - centres[flips])).tolist()
    if sign[0]:
        ends.insert(0, -np.inf)
    if sign[-1]:
        ends.append(np.inf)
    return list(zip(ends[::2], ends[1::2], strict=True))
