"""Exact optima: closed forms, integral equations, and best responses on grids."""
