"""Microcontroller experiments: parameters in, tidy tables out."""
