"""Denoisers of small images: data, networks, training, files; and Stable Diffusion."""
