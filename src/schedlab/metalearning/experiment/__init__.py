"""Experiments: parameters in, tidy tables out."""
