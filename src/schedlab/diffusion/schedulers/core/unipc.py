"""UniPC: one predictor and one corrector of any order, in the data form."""

import math
from collections.abc import Sequence

import numpy as np

from schedlab.diffusion.schedulers.core.first_order import ddim
from schedlab.diffusion.schedulers.core.levels import Level
from schedlab.diffusion.schedulers.core.moves import Move

FIXED = 0.5  # the authors' weight where the system has a single unknown


def predictor(levels: Sequence[Level], target: Level, solver_type: str = "bh2") -> Move:
    """Return UniP's move on data predictions at ``levels``, newest first.

    Zhao et al., *UniPC*, section 3.2 and appendix; the order is the number of levels.
    """
    nodes = _nodes(levels, target)
    return _move(levels[0], target, nodes, solver_type, fixed=len(nodes) == 1)


def corrector(levels: Sequence[Level], target: Level, solver_type: str = "bh2") -> Move:
    """Return UniC's move: the step again, now that the prediction at ``target`` is known.

    Zhao et al., *UniPC*, section 3.1. The first weight is that of the prediction at ``target``,
    the others belong to ``levels``, newest first.
    """
    nodes = [*_nodes(levels, target), 1.0]
    move = _move(levels[0], target, nodes, solver_type, fixed=len(nodes) == 1)
    current, *older, newest = move.weights
    return Move(move.keep, (newest, current, *older))


def _nodes(levels: Sequence[Level], target: Level) -> list[float]:
    """Return where older predictions lie, in steps from the newest one."""
    here, *older = levels
    h = target.log_snr - here.log_snr
    return [(level.log_snr - here.log_snr) / h for level in older]


def _move(
    here: Level, target: Level, nodes: Sequence[float], solver_type: str, fixed: bool
) -> Move:
    first, _ = ddim(here, target)
    if not nodes:
        return first
    z = here.log_snr - target.log_snr
    scale = math.expm1(z) if solver_type == "bh2" else z
    rho = [FIXED] if fixed else _solve(nodes, z, scale)
    weights = [-target.alpha * scale * r / node for r, node in zip(rho, nodes, strict=True)]
    return Move(first.keep, (first.weights[0] - sum(weights), *weights))


def _solve(nodes: Sequence[float], z: float, scale: float) -> list[float]:
    """Return the weights that make the step exact for polynomials up to the number of nodes."""
    phi, moments = math.expm1(z) / z - 1, []
    for q in range(1, len(nodes) + 1):
        moments.append(math.factorial(q) * phi / scale)
        phi = phi / z - 1 / math.factorial(q + 1)
    powers = np.vander(np.array(nodes), increasing=True).T
    return np.linalg.solve(powers, moments).tolist()
