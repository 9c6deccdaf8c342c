"""Estimators: what a receiver makes of messages and of their absence."""

from schedlab.estimation.estimators.grid import GridFilter
from schedlab.estimation.estimators.interface import Estimator
from schedlab.estimation.estimators.kalman import Kalman
from schedlab.estimation.estimators.particle import ParticleFilter
from schedlab.estimation.estimators.predictors import Biased, Hold, Predictor

__all__ = ["Biased", "Estimator", "GridFilter", "Hold", "Kalman", "ParticleFilter", "Predictor"]
