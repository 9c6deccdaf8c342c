"""Figures of the microcontroller notebooks: a tidy table in, a figure out."""
