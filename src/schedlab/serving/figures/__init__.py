"""Figures of the serving system: a tidy table in, a matplotlib figure out."""
