"""Meta-learners: MAML and ANIL on the paper's two backbones, for many tasks and seeds at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from schedlab.metalearning.learners.anil import ANIL
from schedlab.metalearning.learners.candidates import Candidates, Learner
from schedlab.metalearning.learners.maml import MAML
from schedlab.metalearning.learners.networks import NETWORKS
from schedlab.metalearning.learners.objectives import OBJECTIVES

LEARNERS = {"anil": ANIL, "maml": MAML}
"""Meta-learners by name."""

Kind = Literal["classification", "regression"]


def make(
    kind: Kind,
    shape: Sequence[int],
    outputs: int,
    *,
    learner: str = "anil",
    network: str = "fully_connected",
    network_options: dict[str, Any] | None = None,
    inner_lr: float,
    inner_steps: int = 5,
    first_order: bool = False,
) -> Learner:
    """Return a meta-learner for a world.

    Parameters
    ----------
    kind
        The world's objective.
    shape, outputs
        Axes of a sample; classes, or real outputs.
    learner, network
        Names of :data:`LEARNERS` and :data:`~schedlab.metalearning.learners.networks.NETWORKS`.
    network_options
        Keyword arguments of the network, for instance ``widths``.
    inner_lr, inner_steps, first_order
        See :class:`ANIL`.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    for name, known in ((learner, LEARNERS), (network, NETWORKS)):
        if name not in known:
            raise ValueError(f"unknown learner or network {name!r}; there are {', '.join(known)}")
    built = NETWORKS[network](shape, outputs, **(network_options or {}))
    return LEARNERS[learner](
        built,
        OBJECTIVES[kind](),
        inner_lr=inner_lr,
        inner_steps=inner_steps,
        first_order=first_order,
    )


__all__ = ["ANIL", "LEARNERS", "MAML", "Candidates", "Learner", "make"]
