"""The plant with its receiver as an environment: the action is whether to send."""

from typing import Any

import gymnasium
import numpy as np

from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.estimators.predictors import Predictor
from schedlab.estimation.observation import observe
from schedlab.estimation.plants.plant import Problem


class RemoteEstimation(gymnasium.Env):
    """Watch one plant from afar.

    Observations are rows that :func:`schedlab.estimation.observation.parts` reads, as 32-bit
    numbers. Action 1 sends the state. The reward is minus the cost of the step. Nothing ever
    terminates; the time limit truncates, so a learner must bootstrap there.

    Parameters
    ----------
    problem
        Plant, weight of errors, price of messages.
    estimator
        The receiver; by default it takes silence for missing data.
    steps
        Time limit. A replayed trajectory needs one state beyond it.

    Notes
    -----
    ``info`` holds ``delta`` (whether it was sent), ``error`` (weighted squared), ``age`` (steps
    since the last message) and ``xhat``.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  gymnasium declares it so

    def __init__(
        self, problem: Problem, estimator: Estimator | None = None, *, steps: int = 200
    ) -> None:
        if steps < 1:
            raise ValueError(f"steps: expected at least 1, got {steps}")
        self.problem, self.plant, self.steps = problem, problem.plant, steps
        self.estimator = estimator or Predictor(problem.plant)
        width = 4 * self.plant.dimension + 1
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Draw a trajectory and go to its first decision."""
        super().reset(seed=seed)
        # One state more than decisions: a learner bootstraps from what follows the last.
        self.states = self.plant.paths(self.np_random, 1, self.steps + 1)
        self.last = self.predicted = self.states[0]
        self.estimator.reset(self.states[0])
        self.time, self.age = 0, 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Send or keep silent, pay for it, and let the plant go one step on.

        Raises
        ------
        ValueError
            If the action is neither 0 nor 1.
        """
        if action not in (0, 1):
            raise ValueError(f"action must be 0 (silent) or 1 (send), got {action!r}")
        info = self._decide(bool(action))
        reward = -(info["error"] + self.problem.price * info["delta"])
        truncated = self.time == self.steps
        return self._observe(), reward, False, truncated, info

    def _observe(self) -> np.ndarray:
        self.time, self.age = self.time + 1, self.age + 1
        self.predicted = self.plant.quiet_step(self.predicted)
        proposal = self.estimator.propose()
        now = observe(self.states[self.time], proposal, self.predicted, self.last, [self.age])
        return now[0].astype(np.float32)

    def _decide(self, send: bool) -> dict[str, Any]:
        state = self.states[self.time]
        xhat = self.estimator.listen(state, np.array([send]))
        if send:
            self.last, self.predicted, self.age = state, state, 0
        return {
            "delta": int(send),
            "error": float(self.problem.squared_error(state, xhat)[0]),
            "age": self.age,
            "xhat": xhat[0],
        }
