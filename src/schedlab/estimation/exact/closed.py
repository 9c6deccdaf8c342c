"""Systems whose optimum can be written down."""

import numpy as np
from scipy import optimize, special


def coin_cost(price: float) -> float:
    """Return the least cost per step of a fair coin ±m with ``price < m²``, whatever the plant.

    Silence can stand for one side of the coin, so half of the steps need a message and no step
    has an error (system S6).
    """
    return price / 2


def memoryless_normal_cost(price: float) -> float:
    """Return the least cost per step of independent standard normal states (S7).

    The rule is silent while ``|x| < r = sqrt(price)``: ``2 price Q(r) + 1 - 2 Q(r) - 2 r phi(r)``.
    """
    r = np.sqrt(price)
    tail = special.ndtr(-r)
    density = np.exp(-(r**2) / 2) / np.sqrt(2 * np.pi)
    return float(2 * price * tail + 1 - 2 * tail - 2 * r * density)


def memoryless_exponential_bias(price: float) -> float:
    """Return the best silent estimate of independent Exp(1) - 1 states, for a price of at least 1.

    The silent interval starts at the law's edge and has its mean ``c`` (measured from the edge)
    in the middle of the rule ``|x - c| < r = sqrt(price)``: ``1 - c = (1 + r) exp(-(c + r))`` (S8).

    Raises
    ------
    ValueError
        If the price is below 1, where the interval may leave the edge.
    """
    if price < 1:
        raise ValueError(f"price must be at least 1 for this formula, got {price}")
    r = np.sqrt(price)
    centre = optimize.brentq(lambda c: 1 - c - (1 + r) * np.exp(-(c + r)), 0, 1)
    return float(centre - 1)


def memoryless_exponential_cost(price: float, bias: float | None = None) -> float:
    """Return the cost per step of the rule ``|x - bias| < sqrt(price)`` for Exp(1) - 1 states.

    Parameters
    ----------
    price
        Cost of a message.
    bias
        Silent estimate; by default the best.
    """
    at = memoryless_exponential_bias(price) if bias is None else bias
    centre, r = at + 1, np.sqrt(price)
    low, high = max(centre - r, 0.0), centre + r

    def integral(y: float) -> float:
        """Antiderivative of ``(y - centre)² exp(-y)``."""
        return -np.exp(-y) * ((y - centre) ** 2 + 2 * (y - centre) + 2)

    silent = np.exp(-low) - np.exp(-high)
    return float(integral(high) - integral(low) + price * (1 - silent))


def periodic_cost(period: int, price: float, a: float = 0.9, variance: float = 1.0) -> float:
    """Return the average cost per step of sending every ``period`` steps, scalar linear plant.

    ``(price + sum_{j < period} sigma_j²) / period`` with
    ``sigma_j² = variance (1 - a^{2j}) / (1 - a²)``.
    """
    ages = np.arange(1, period)
    spread = variance * (ages if a**2 == 1 else (1 - a ** (2 * ages)) / (1 - a**2))
    return float((price + spread.sum()) / period)


def stochastic_trigger_cost(strength: float, price: float, a: float, variance: float) -> float:
    """Return the average cost per step of the stochastic trigger on a scalar Gaussian plant.

    With prior variance ``P`` silence has probability ``(1 + P Y)^{-1/2}`` and leaves variance
    ``P / (1 + P Y)``; then ``P+ = a² P / (1 + P Y) + variance`` (Han, Mo, Wu et al., 2015).
    """
    alive, length, cost, prior = 1.0, 0.0, 0.0, variance
    while alive > 1e-12 and length < 1e6:
        silent = (1 + prior * strength) ** -0.5
        after = prior / (1 + prior * strength)
        length += alive
        cost += alive * (silent * after + (1 - silent) * price)
        alive *= silent
        prior = a**2 * after + variance
    return cost / length
