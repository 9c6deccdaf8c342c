"""The functional core: levels, rules, plans of calls, and one way to carry them out, in float64."""
