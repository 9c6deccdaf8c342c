"""Adaptive task scheduling for meta-learning: ATS, its baselines, and the learners they serve."""
