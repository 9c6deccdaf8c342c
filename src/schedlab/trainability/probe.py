"""Measures what :class:`~schedlab.trainability.schedulers.NoiseCurvatureLR` decides by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from schedlab.trainability import per_sample
from schedlab.trainability.lanczos import hessian_product, top_eigenvalue
from schedlab.trainability.per_sample import Loss
from schedlab.trainability.schedulers.statistics import LayerStatistics


def groups_by_layer(model: nn.Module, **options: Any) -> list[dict[str, Any]]:
    """Return one parameter group per layer, for an optimizer.

    A layer is a module that owns parameters itself; parameters that are used twice belong to the
    first.

    Parameters
    ----------
    model
        The network.
    options
        Put into every group, for instance ``lr=1e-3``.
    """
    seen: set[Tensor] = set()
    groups = []
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad and p not in seen]
        seen.update(own)
        if own:
            groups.append({"params": own, "name": name or "model", **options})
    return groups


class Probe:
    """Measures gradient noise and curvature of every layer on one minibatch.

    It leaves gradients, random state, batch-norm statistics and training mode as they were.

    Parameters
    ----------
    model
        The network; called with the inputs of :meth:`measure`.
    optimizer
        Its parameter groups are the layers; groups without a ``name`` are called ``group <i>``.
    loss
        From outputs and targets to one loss per sample, shape ``(B,)``, for instance
        ``functools.partial(F.cross_entropy, reduction="none")``.
    penalty
        A regulariser added to the mean loss, without arguments. As in the authors' code it enters
        ‖ĝ‖² and the sharpness but not the variance.
    unbiased
        Correct ‖ĝ‖² for its noise, (B‖ĝ‖² − mean ‖gᵢ‖²)/(B − 1), at least 0, and divide the
        variance by B − 1. The paper does neither, so that α_g* is near 1 in pure noise.
    iterations, tolerance
        Of Lanczos' method, see :func:`~schedlab.trainability.lanczos.top_eigenvalue`. It starts
        from the last eigenvector, and the error of the eigenvalue is of the order of the
        tolerance squared, so that few products are enough. 0 iterations leave the sharpness out.
    seed
        Of the very first vectors.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss: Loss,
        *,
        penalty: Callable[[], Tensor] | None = None,
        unbiased: bool = False,
        iterations: int = 8,
        tolerance: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.model, self.optimizer, self.loss, self.penalty = model, optimizer, loss, penalty
        self.unbiased, self.iterations, self.tolerance = unbiased, iterations, tolerance
        self.generator = torch.Generator().manual_seed(seed)
        self.vectors: dict[str, Tensor] = {}

    def measure(self, inputs: Tensor, targets: Tensor) -> dict[str, LayerStatistics]:
        """Return the statistics of every layer on a minibatch.

        Parameters
        ----------
        inputs, targets
            One minibatch, samples along the first axis.

        Raises
        ------
        ValueError
            If the loss does not return one value per sample.
        """
        layers = {
            group.get("name", f"group {i}"): list(group["params"])
            for i, group in enumerate(self.optimizer.param_groups)
        }
        with self._untouched(), per_sample.recorded(self.model) as calls:
            losses = self._losses(inputs, targets)
            every = [p for parameters in layers.values() for p in parameters]
            calls = per_sample.ruled(self.model, calls)
            # One backward pass gives the mean gradient and what all per-sample norms follow from.
            found = torch.autograd.grad(
                losses.sum(),
                [*every, *(call.returned for call in calls)],
                create_graph=self.iterations > 0,
            )
            mean = [gradient / len(losses) for gradient in found[: len(every)]]
            deltas = [delta.detach() for delta in found[len(every) :]]
            norms = self._sample_norms(layers, calls, deltas, inputs, targets)
            return self._by_layer(layers, mean, self._penalised(mean, every), norms)

    def _losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        losses = self.loss(functional_call(self.model, buffers, (inputs,)), targets)
        if losses.shape != inputs.shape[:1]:
            raise ValueError(
                f"the loss must return one value per sample, shape ({len(inputs)},), got "
                f'{tuple(losses.shape)}; torch losses do with reduction="none"'
            )
        return losses

    def _sample_norms(
        self,
        layers: Mapping[str, Sequence[Tensor]],
        calls: Sequence[per_sample.Call],
        deltas: Sequence[Tensor],
        inputs: Tensor,
        targets: Tensor,
    ) -> dict[str, Tensor]:
        """Return ‖gᵢ‖² of every layer, shape ``(B,)``."""
        norms: dict[Tensor, Tensor] = {}
        for call, delta in zip(calls, deltas, strict=True):
            norms |= per_sample.squared_norms(call, delta)
        names = {p: name for name, p in self.model.named_parameters()}
        result = {}
        for layer, parameters in layers.items():
            parts = [norms[p] for p in parameters if p in norms]
            if rest := [names[p] for p in parameters if p not in norms]:
                parts.append(
                    per_sample.squared_norms_by_vmap(self.model, self.loss, rest, inputs, targets)
                )
            result[layer] = torch.stack(parts).sum(0).detach()
        return result

    def _penalised(self, mean: list[Tensor], every: list[Tensor]) -> list[Tensor]:
        """Return the gradients of the mean loss with the penalty."""
        if self.penalty is None:
            return mean
        own = torch.autograd.grad(
            self.penalty(), every, create_graph=self.iterations > 0, materialize_grads=True
        )
        return [gradient + extra for gradient, extra in zip(mean, own, strict=True)]

    def _by_layer(
        self,
        layers: Mapping[str, Sequence[Tensor]],
        mean: Sequence[Tensor],
        gradients: Sequence[Tensor],
        norms: Mapping[str, Tensor],
    ) -> dict[str, LayerStatistics]:
        statistics, first = {}, 0
        for name, parameters in layers.items():
            own = slice(first, first := first + len(parameters))
            plain_sq = _squared(mean[own])
            gradient_sq = plain_sq if self.penalty is None else _squared(gradients[own])
            noise = self._noise(plain_sq, gradient_sq, norms[name])
            sharpness = self._sharpness(name, parameters, gradients[own])
            statistics[name] = LayerStatistics(len(norms[name]), *noise, sharpness)
        return statistics

    def _noise(self, plain_sq: float, gradient_sq: float, norms: Tensor) -> tuple[float, float]:
        """Return ‖ĝ‖² and σ², corrected if so chosen."""
        batch, mean_norm = len(norms), float(norms.mean())
        variance = max(mean_norm - plain_sq, 0.0)
        if not self.unbiased or batch == 1:
            return gradient_sq, variance
        corrected = max((batch * gradient_sq - mean_norm) / (batch - 1), 0.0)
        return corrected, variance * batch / (batch - 1)

    def _sharpness(
        self, name: str, parameters: Sequence[Tensor], gradients: Sequence[Tensor]
    ) -> float:
        if not self.iterations:
            return 0.0
        size = sum(p.numel() for p in parameters)
        start = self.vectors.get(name)
        if start is None or len(start) != size:
            start = torch.randn(size, generator=self.generator, dtype=parameters[0].dtype)
            start = start.to(parameters[0].device)
        value, self.vectors[name] = top_eigenvalue(
            hessian_product(gradients, parameters),
            start,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )
        return float(value)

    @contextmanager
    def _untouched(self) -> Iterator[None]:
        devices = {p.device for p in self.model.parameters() if p.device.type == "cuda"}
        with torch.random.fork_rng(devices=sorted(devices, key=str)), torch.enable_grad():
            yield


def _squared(gradients: Sequence[Tensor]) -> float:
    return sum(float(gradient.detach().square().sum()) for gradient in gradients)
