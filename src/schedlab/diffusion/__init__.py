"""Solvers of the probability-flow ODE, their inversion, and optimisation in the space of seeds."""
