"""Learning to rank requests by the length of their answers, and what such a ranking is worth."""
