"""Diffusion experiment."""
