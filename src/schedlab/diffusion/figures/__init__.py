"""Diffusion figures."""
