"""What the paper says, as data."""
