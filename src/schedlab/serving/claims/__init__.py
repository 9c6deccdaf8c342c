"""The serving claims, a module per stage."""
