"""From parameters to tidy tables."""
