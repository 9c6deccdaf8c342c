"""Schedulers of a network's step sizes, each a ``torch.optim.lr_scheduler.LRScheduler``."""

from schedlab.trainability.schedulers.noise_curvature import PRESETS, NoiseCurvatureLR
from schedlab.trainability.schedulers.statistics import LayerStatistics

__all__ = ["PRESETS", "LayerStatistics", "NoiseCurvatureLR"]
