"""Schedulers of seven machine-learning papers: implemented, measured and compared."""
