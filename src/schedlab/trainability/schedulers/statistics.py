"""What a probe hands to a scheduler: a few numbers for each layer, measured on one minibatch."""

from __future__ import annotations

from typing import NamedTuple


class LayerStatistics(NamedTuple):
    """One layer's gradient noise and curvature on one minibatch.

    Attributes
    ----------
    batch_size
        Samples B in the minibatch, at least 1.
    gradient_sq
        Squared norm of the layer's minibatch gradient, ‖ĝ‖².
    variance
        Per-sample gradient variance summed over the layer's coordinates,
        σ² = (1/B) Σᵢ ‖gᵢ − ĝ‖².
    sharpness
        Largest eigenvalue λ of the layer's block of the Hessian of the minibatch loss.
    """

    batch_size: int
    gradient_sq: float
    variance: float
    sharpness: float = 0.0
