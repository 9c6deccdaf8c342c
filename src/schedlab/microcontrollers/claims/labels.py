"""Labels that claims look for in the tables; params.yaml uses the same."""

ARIEL = "Ariel FIFO"
EFT = "EFT"
GUIDED = "Guided"
LOOP = "Inline loop"
LPT = "LPT"
STATIC = "Static block"

MERGE = 4
"""Neighbours made one where no coarser grid was measured: what the compiler's grid for eight
threads is to its grid for two."""
COARSE = ("threads=2", f"default, {MERGE} merged")
"""Names of the coarser grids."""
