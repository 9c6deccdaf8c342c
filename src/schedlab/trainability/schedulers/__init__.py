"""Schedulers of a network's step sizes, each a ``torch.optim.lr_scheduler.LRScheduler``."""

from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ReduceLROnPlateau,
)

from schedlab.trainability.schedulers.noise_curvature import PRESETS, NoiseCurvatureLR
from schedlab.trainability.schedulers.statistics import LayerStatistics

__all__ = ["PRESETS", "SCHEDULERS", "LayerStatistics", "NoiseCurvatureLR"]

SCHEDULERS: dict[str, type] = {
    "constant": ConstantLR,
    "cosine": CosineAnnealingLR,
    "cosine_restarts": CosineAnnealingWarmRestarts,
    "noise_curvature": NoiseCurvatureLR,
    "plateau": ReduceLROnPlateau,
}
"""Scheduler classes by the name that ``params.yaml`` uses."""
