"""Systems by name: S1 to S8 have a known optimum, the nonlinear ones have not.

========  ========================================================  ==================
name      noise                                                     silence moves mean
========  ========================================================  ==================
S1        N(0, 1), a = 0.9                                          no
S2        rare jumps: 0.8 N(-0.5, 0.3²) + 0.2 N(2, 0.5²), a = 0.9   yes
S3        exponential, shifted to mean 0, a = 0.9                   yes
S4        ±2 + N(0, 0.3²), a = 0.9                                  yes
S5        two states, N(0, I)                                       no
S6        a coin: ±1, a = 0.9                                       yes
S7        N(0, 1), a = 0                                            no
S8        exponential, shifted to mean 0, a = 0                     yes
========  ========================================================  ==================
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from schedlab.estimation.noise import Mixture, ScalarNoise, StandardGamma
from schedlab.estimation.plants import nonlinear
from schedlab.estimation.plants.linear import linear
from schedlab.estimation.plants.plant import Plant, Problem

NORMAL = Mixture()
RARE_JUMPS = nonlinear.JUMPS
TWO_SIDED = Mixture((0.5, 0.5), (-2.0, 2.0), (0.3, 0.3))
COIN = Mixture((0.5, 0.5), (-1.0, 1.0), (0.0, 0.0))
EXPONENTIAL = StandardGamma(2.0)


def _scalar(name: str, noise: ScalarNoise, a: float) -> Plant:
    return linear(a, noise, name=name)


def _vector() -> Plant:
    return linear([[0.95, 0.2], [0.0, 0.9]], NORMAL, name="S5")


PLANTS: Mapping[str, Callable[[], Plant]] = {
    "S1": partial(_scalar, "S1", NORMAL, 0.9),
    "S2": partial(_scalar, "S2", RARE_JUMPS, 0.9),
    "S3": partial(_scalar, "S3", EXPONENTIAL, 0.9),
    "S4": partial(_scalar, "S4", TWO_SIDED, 0.9),
    "S5": _vector,
    "S6": partial(_scalar, "S6", COIN, 0.9),
    "S7": partial(_scalar, "S7", NORMAL, 0.0),
    "S8": partial(_scalar, "S8", EXPONENTIAL, 0.0),
    "van_der_pol": nonlinear.van_der_pol,
    "pendulum": nonlinear.pendulum,
    "unicycle": nonlinear.unicycle,
    "lorenz": nonlinear.lorenz,
}
WEIGHTS = {"unicycle": np.diag([1.0, 1.0, 0.0])}
PRICES = {
    "S1": 2.0,
    "S2": 1.0,
    "S3": 1.0,
    "S4": 2.0,
    "S5": 4.0,
    "S6": 0.5,
    "S7": 1.0,
    "S8": 1.0,
    "van_der_pol": 0.05,
    "pendulum": 0.05,
    "unicycle": 0.05,
    "lorenz": 1.0,
}
SYSTEMS = tuple(PLANTS)


def system(name: str, price: float | None = None, discount: float = 0.95) -> Problem:
    """Return a system by name.

    Parameters
    ----------
    name
        One of :data:`SYSTEMS`.
    price
        Cost of a message; by default the one its optimum is best known for.
    discount
        Per step.

    Raises
    ------
    ValueError
        If there is no such system.
    """
    if name not in PLANTS:
        raise ValueError(f"unknown system {name!r}; allowed are {', '.join(PLANTS)}")
    cost = PRICES[name] if price is None else price
    return Problem(PLANTS[name](), cost, WEIGHTS.get(name), discount)
