"""Data whose score is known exactly: Gaussian mixtures, and their probability-flow ODE."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """A mixture of round Gaussians in any dimension.

    Attributes
    ----------
    means
        Centres, shape (components, dimensions).
    spread
        Standard deviation of every component, above 0.
    weights
        Probabilities of the components; they sum to 1.
    """

    means: tuple[tuple[float, ...], ...]
    spread: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.means) != len(self.weights):
            raise ValueError(
                f"{len(self.means)} means need as many weights, got {len(self.weights)}"
            )
        if abs(sum(self.weights) - 1) > 1e-9 or min(self.weights) <= 0:
            raise ValueError(f"weights must be positive and sum to 1, got {self.weights}")
        if self.spread <= 0:
            raise ValueError(f"spread must be above 0, got {self.spread}")

    @cached_property
    def _centres(self) -> Tensor:
        return torch.tensor(self.means, dtype=torch.float64)

    @cached_property
    def _log_weights(self) -> Tensor:
        return torch.tensor(self.weights, dtype=torch.float64).log()

    @property
    def dimensions(self) -> int:
        """Length of one sample."""
        return len(self.means[0])

    def epsilon(self, x: Tensor, ratio: Tensor | float) -> Tensor:
        """Return the noise that an ideal network would predict.

        Parameters
        ----------
        x
            Samples with ``alpha = 1``, the last axis over dimensions.
        ratio
            Their noise ratio sigma; a number, or a tensor that broadcasts over ``x``.
        """
        ratio = torch.as_tensor(ratio, dtype=x.dtype, device=x.device)
        variance = self.spread**2 + ratio**2
        centres, log_weights = self._centres.to(x), self._log_weights.to(x)
        square = x.square().sum(-1, keepdim=True) - 2 * x @ centres.T + centres.square().sum(-1)
        share = torch.softmax(log_weights - square / (2 * variance), dim=-1)
        return ratio * (x - share @ centres) / variance

    def network(self, alphas_cumprod: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the ideal network ``model(x, t)`` for a scheduler's timesteps.

        Parameters
        ----------
        alphas_cumprod
            The scheduler's table; between whole timesteps the ratio is interpolated linearly.
        """
        bar = alphas_cumprod.double().numpy()
        ratios = np.sqrt((1 - bar) / bar)

        def model(x: Tensor, t: Tensor) -> Tensor:
            ratio = float(np.interp(float(t), np.arange(ratios.size), ratios))
            return self.epsilon(x * float(np.hypot(1.0, ratio)), ratio)

        return model

    def draw(self, n: int, rng: np.random.Generator) -> Tensor:
        """Return samples of the data, shape (n, dimensions)."""
        which = rng.choice(len(self.weights), size=n, p=self.weights)
        noise = rng.standard_normal((n, self.dimensions))
        return torch.from_numpy(np.asarray(self.means)[which] + self.spread * noise)

    def solve(self, x: Tensor, start: float, end: float, tolerance: float = 1e-11) -> Tensor:
        """Return the last point of :meth:`flow`."""
        return self.flow(x, start, end, tolerance)(end)

    def flow(
        self, x: Tensor, start: float, end: float, tolerance: float = 1e-11
    ) -> Callable[[float], Tensor]:
        """Return the exact probability flow of samples as a function of the noise ratio.

        By SciPy's DOP853, of ``dx / d log(ratio) = ratio * epsilon``: Karras et al. 2022,
        equation 1.

        Parameters
        ----------
        x
            Samples with ``alpha = 1`` at the ratio ``start``, in float64.
        start, end
            Ratios of noise to signal, above 0.
        tolerance
            Relative; the absolute one is a tenth of it.
        """

        def slope(at: float, flat: np.ndarray) -> np.ndarray:
            ratio = float(np.exp(at))
            point = torch.from_numpy(flat).reshape(x.shape)
            return (ratio * self.epsilon(point, ratio)).numpy().ravel()

        found = solve_ivp(
            slope,
            (np.log(start), np.log(end)),
            x.numpy().ravel(),
            method="DOP853",
            dense_output=True,
            rtol=tolerance,
            atol=tolerance / 10,
        )
        return lambda ratio: torch.from_numpy(found.sol(np.log(ratio))).reshape(x.shape)


def ring(modes: int = 5, spread: float = 0.3, weights: Sequence[float] | None = None) -> Mixture:
    """Return unequal modes on the unit circle, the world of the convergence bench."""
    angles = 2 * np.pi * np.arange(modes) / modes
    chosen = tuple(weights) if weights else (0.3, 0.25, 0.2, 0.15, 0.1)
    return Mixture(tuple((float(np.cos(a)), float(np.sin(a))) for a in angles), spread, chosen)


def gaussian(mean: Sequence[float] = (1.0, -0.5), spread: float = 0.3) -> Mixture:
    """Return a single Gaussian, whose probability flow is known in closed form."""
    return Mixture((tuple(mean),), spread, (1.0,))


def gaussian_flow(world: Mixture, x: Tensor, start: float, end: float) -> Tensor:
    """Return the exact flow of a single Gaussian: distances shrink with the total deviation."""
    (centre,) = torch.tensor(world.means, dtype=x.dtype)
    shrink = np.sqrt((world.spread**2 + end**2) / (world.spread**2 + start**2))
    return centre + (x - centre) * float(shrink)
