"""Mutation testing: how many small faults in a scheduler its tests notice."""
