"""Figures of the ranking system: a tidy table in, a matplotlib figure out."""
