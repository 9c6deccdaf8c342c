"""Inputs of the experiments: built sets, catalogued public sets, and the guard over both.

``python -m schedlab.data`` lists, fetches, builds and verifies; :mod:`schedlab.data.load` reads.
"""

from schedlab.data.catalog import fetch
from schedlab.data.load import lengths

__all__ = ["fetch", "lengths"]
