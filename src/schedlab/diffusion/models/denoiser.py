"""A class-conditional denoiser for small images, and several of them as one.

The network is a residual multilayer perceptron on flattened images whose blocks are scaled and
shifted by an embedding of timestep and class (FiLM; Perez et al. 2018). ``Ensemble`` holds the
networks of several training seeds in stacked parameters and evaluates all of them at once, so
that an experiment over training seeds is one batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


@dataclass(frozen=True)
class Shape:
    """Size of a denoiser.

    Attributes
    ----------
    pixels
        Length of a flattened image.
    width, blocks
        Hidden units and residual blocks.
    classes
        Number of classes.
    embedding
        Length of the embedding of timestep and class.
    """

    pixels: int
    width: int
    blocks: int
    classes: int = 10
    embedding: int = 64


class Denoiser(nn.Module):
    """Predict ``v`` (see :class:`Ensemble`) from a noisy image, its timestep and its class.

    Parameters
    ----------
    shape
        Size of the network.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, embedding = shape.width, shape.embedding
        self.class_embedding = nn.Embedding(shape.classes, embedding)
        self.time_embedding = nn.Linear(embedding, embedding)
        self.entry = nn.Linear(shape.pixels, width)
        self.blocks = nn.ModuleList(Block(width, embedding) for _ in range(shape.blocks))
        self.exit = nn.Linear(width, shape.pixels)
        nn.init.zeros_(self.exit.weight)

    def forward(self, x: Tensor, timestep: Tensor, labels: Tensor) -> Tensor:
        """Return the predicted ``v``, shaped as ``x``.

        Parameters
        ----------
        x
            Noisy images, ``(batch, pixels)``.
        timestep
            Training timesteps, ``(batch,)`` or a scalar for all.
        labels
            Classes, ``(batch,)``.
        """
        time = self.time_embedding(sinusoids(timestep, self.shape.embedding))
        condition = nn.functional.silu(time + self.class_embedding(labels))
        hidden = self.entry(x)
        for block in self.blocks:
            hidden = block(hidden, condition)
        return self.exit(nn.functional.silu(hidden))


class Block(nn.Module):
    """One residual block with a conditional scale and shift."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.film = nn.Linear(embedding, 2 * width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        """Return ``hidden``, ``(batch, width)``, plus this block's correction."""
        scale, shift = self.film(condition).chunk(2, dim=-1)
        modulated = self.norm(hidden) * (1 + scale) + shift
        return hidden + self.outer(nn.functional.silu(self.inner(modulated)))


def sinusoids(timestep: Tensor, length: int, longest: float = 1000.0) -> Tensor:
    """Return ``length`` sines and cosines of a timestep, at geometric frequencies."""
    half = length // 2
    frequencies = torch.exp(torch.arange(half) * (-math.log(longest) / half))
    angles = timestep.to(torch.float32)[..., None] * frequencies.to(timestep.device)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Ensemble:
    """Denoisers of equal shape, one per training seed, evaluated together.

    Called with noisy images it returns the noise in them; the networks themselves predict
    ``v = alpha noise - sigma image`` (Salimans and Ho 2022), from which both noise and image
    follow without dividing by the vanishing signal of late timesteps.

    Parameters
    ----------
    shape
        Shape of each.
    parameters
        Parameters by name, each with a leading axis over the members.
    alphas_cumprod
        Cumulative signal level at every training timestep, ``(timesteps,)``.
    seeds
        Training seed of each member.
    """

    def __init__(
        self,
        shape: Shape,
        parameters: dict[str, Tensor],
        alphas_cumprod: Tensor,
        seeds: Sequence[int],
    ) -> None:
        self.shape = shape
        self.parameters = parameters
        self.alphas_cumprod = alphas_cumprod
        self.seeds = tuple(seeds)
        with torch.device("meta"):
            skeleton = Denoiser(shape)
        self._members = vmap(lambda own, *inputs: functional_call(skeleton, own, inputs))

    def velocity(self, x: Tensor, timestep: Tensor, labels: Tensor) -> Tensor:
        """Return each member's ``v``: x ``(members, batch, pixels)``, the others without pixels."""
        return self._members(self.parameters, x, timestep, labels)

    def __call__(self, x: Tensor, timestep: Tensor, labels: Tensor) -> Tensor:
        """Return the noise that each member finds in ``x``.

        Parameters
        ----------
        x
            Noisy images, ``(members, batch, pixels)``.
        timestep
            One timestep for all, which may lie between two of training.
        labels
            Classes, ``(members, batch)`` or ``(batch,)``.
        """
        everywhere = timestep.expand(x.shape[:2])
        velocity = self.velocity(x, everywhere, labels.expand(x.shape[:2]))
        alpha, sigma = signal_and_noise(self.alphas_cumprod, timestep)
        return alpha * velocity + sigma * x

    def conditional(self, labels: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the model ``(x, timestep) -> noise`` for fixed classes, as samplers take it."""
        return lambda x, timestep: self(x, timestep, labels)


def signal_and_noise(alphas_cumprod: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``alpha`` and ``sigma`` at a timestep.

    Between two timesteps of training ``sigma / alpha`` is interpolated, as diffusers does.
    """
    ratio = ((1 - alphas_cumprod) / alphas_cumprod).sqrt()
    lower = timestep.floor().long().clamp(max=len(ratio) - 1)
    upper = (lower + 1).clamp(max=len(ratio) - 1)
    at = torch.lerp(ratio[lower], ratio[upper], (timestep - lower).to(ratio.dtype))
    alpha = (1 + at.square()).rsqrt()
    return alpha, at * alpha
