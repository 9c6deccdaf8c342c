"""The belief of a silent receiver on a grid, exact but for the cells."""

import numpy as np

from schedlab.estimation.cells import Cells, cells_of
from schedlab.estimation.estimators.predictors import Biased
from schedlab.estimation.observation import observe
from schedlab.estimation.plants.plant import Plant
from schedlab.estimation.schedulers.interface import Scheduler


class GridFilter(Biased):
    """Bayes' rule with silence as a measurement, for scalar linear plants.

    On silence ``p(e) <- p(e) P(silent | e, age)``, normalised, then through the plant. The
    scheduler must look at the error of prediction and the age only.

    Attributes
    ----------
    plant
        Scalar and linear.
    scheduler
        What the sender is known to use.
    ages
        Length of the table; where silence has become impossible it stops earlier.
    beliefs
        Law of the error on ``cells.centres`` by age, after silence, shape ``(ages, cells)``.
    """

    def __init__(
        self, plant: Plant, scheduler: Scheduler, *, ages: int = 40, count: int = 481
    ) -> None:
        self.cells = cells_of(plant, count=count)
        self.beliefs = silent_beliefs(self.cells, scheduler, ages)
        super().__init__(plant, self.beliefs @ self.cells.centres)


def silent_beliefs(cells: Cells, scheduler: Scheduler, ages: int) -> np.ndarray:
    """Return the law of the error after 1, 2, … silent steps, shape ``(ages or fewer, cells)``.

    Raises
    ------
    ValueError
        If the scheduler never keeps silent at age 1, so that there is nothing to read.
    """
    centres = cells.centres[:, None]
    zeros = np.zeros_like(centres)
    belief, found = cells.first, []
    for age in range(1, ages + 1):
        seen = observe(centres, zeros, zeros, zeros, np.full(len(centres), age))
        silent = belief * scheduler.silent_probability(seen)
        if silent.sum() < 1e-9:
            break
        found.append(silent / silent.sum())
        belief = found[-1] @ cells.transition
    if not found:
        raise ValueError(f"{type(scheduler).__name__} always sends: its silence cannot be read")
    return np.stack(found)
