"""Serving experiments: parameters in, tidy tables out."""
