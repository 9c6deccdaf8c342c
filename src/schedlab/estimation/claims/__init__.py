"""Claims of the estimation system, as data."""
