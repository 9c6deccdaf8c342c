"""What a plant's sender asks of a scheduler."""

from typing import Any, Protocol

import numpy as np


class Policy(Protocol):
    """Decides for one plant. Any object with this method can be named in ``params.yaml``."""

    def transmit(self, obs: np.ndarray) -> bool:
        """Tell whether to send now, from an observation as :func:`~.observation.parts` reads it."""
        ...


class Scheduler:
    """A policy that decides for many plants at once; subclasses define :meth:`act`."""

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Tell for every row of ``obs`` whether to send.

        Parameters
        ----------
        obs
            Observations, shape ``(n, 4 d + 1)``.
        rng
            Source of randomness; without one a rule decides deterministically.

        Returns
        -------
        Booleans, shape ``(n,)``.
        """
        raise NotImplementedError

    def silent_probability(self, obs: np.ndarray) -> np.ndarray:
        """Return the probability of silence per row, which filters read as a likelihood."""
        return 1.0 - self.act(obs)

    def transmit(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> bool:
        """Tell for one observation, shape ``(4 d + 1,)``, whether to send."""
        return bool(self.act(np.asarray(obs)[None], rng)[0])


class RowByRow(Scheduler):
    """Many plants under a policy that knows only one.

    Attributes
    ----------
    policy
        Anything with ``transmit``.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def act(self, obs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Ask the policy for every row."""
        return np.fromiter((bool(self.policy.transmit(row)) for row in obs), bool, len(obs))


def vectorised(policy: Any) -> Any:
    """Return a policy that decides for many plants: itself if it can, else row by row.

    Raises
    ------
    ValueError
        If it has neither ``act`` nor ``transmit``.
    """
    if hasattr(policy, "act"):
        return policy
    if hasattr(policy, "transmit"):
        return RowByRow(policy)
    raise ValueError(
        f"{type(policy).__name__} is no scheduler: it needs transmit(obs) -> bool, "
        "or act(obs, rng) -> bools"
    )
