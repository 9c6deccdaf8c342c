"""Remote estimation: when to send a measurement, and what its absence says (after CALM)."""
