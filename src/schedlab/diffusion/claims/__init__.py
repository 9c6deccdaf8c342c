"""Diffusion claims."""
