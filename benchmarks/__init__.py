"""Speed against peers, as ratios that were measured side by side on one machine.

``make bench`` prints one table. A subject is a module with a function ``measure`` that returns
rows; ``python -m benchmarks serving_engine`` runs some of them only. Both sides of a ratio are
measured in one run and in turns, so that a busy machine slows both; what is compared, and what is
not comparable, is said in each row and in the module's docstring. Nothing here is a DVC stage:
seconds are not results.
"""
