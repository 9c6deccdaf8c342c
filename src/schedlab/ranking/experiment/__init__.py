"""Ranking experiments: parameters in, tidy tables out."""
