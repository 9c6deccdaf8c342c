"""The ranking claims, a module per stage."""
