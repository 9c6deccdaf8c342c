"""What MAML and ANIL are made of."""

from __future__ import annotations

from schedlab.metalearning.learners.networks import Network
from schedlab.metalearning.learners.objectives import Objective


class InnerLoop:
    """The inner loop, as every gradient-based meta-learner has one.

    Parameters
    ----------
    network
        Body and head.
    objective
        What is lowered on support sets, and on query sets by the outer loop.
    inner_lr
        α, learning rate of the inner loop.
    inner_steps
        Its steps.
    first_order
        Whether the outer gradient takes the inner gradients as constants.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_lr: float,
        inner_steps: int = 5,
        first_order: bool = False,
    ) -> None:
        self.network, self.objective = network, objective
        self.inner_lr, self.inner_steps, self.first_order = inner_lr, inner_steps, first_order
