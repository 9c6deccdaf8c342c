"""Step sizes that follow gradient noise and curvature, against loss of trainability."""
