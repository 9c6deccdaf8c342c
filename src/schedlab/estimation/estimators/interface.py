"""What a receiver does with messages and with their absence."""

from typing import Any

import numpy as np


class Estimator:
    """A receiver whose estimate in a silent spell depends on the last message and its age only.

    Subclasses define :meth:`predict`. Those with a memory of their own override :meth:`reset`,
    :meth:`propose` and :meth:`listen` instead.
    """

    last: np.ndarray
    age: np.ndarray

    def predict(self, last: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Return the estimates after ``age`` steps without a message.

        Parameters
        ----------
        last
            Last messages, shape ``(n, d)``.
        age
            Steps since, at least 1, shape ``(n,)``.
        """
        raise NotImplementedError

    def reset(self, start: np.ndarray) -> None:
        """Begin with known states, shape ``(n, d)``, one step before the first decision."""
        self.last = np.array(start, dtype=float)
        self.age = np.zeros(len(self.last), dtype=int)
        self.proposal = self.last.copy()

    def propose(self) -> np.ndarray:
        """Go one step on; return what the estimates would be without a message, ``(n, d)``."""
        self.age = self.age + 1
        self.proposal = self.predict(self.last, self.age)
        return self.proposal

    def listen(self, states: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Take this step's messages; return the estimates.

        Parameters
        ----------
        states
            Shape ``(n, d)``; only rows that were sent are looked at.
        sent
            Which rows were, shape ``(n,)``.
        """
        estimate = np.where(sent[:, None], states, self.proposal)
        self.last = np.where(sent[:, None], states, self.last)
        self.age = np.where(sent, 0, self.age)
        return estimate

    def update(self, message: Any = None) -> np.ndarray:
        """Go one step on for a single plant; return its estimate, shape ``(d,)``.

        Parameters
        ----------
        message
            The state, shape ``(d,)``, or ``None`` for silence.
        """
        proposal = self.propose()
        heard = message is not None
        states = np.asarray(message, dtype=float)[None] if heard else np.zeros_like(proposal)
        return self.listen(states, np.array([heard]))[0]
