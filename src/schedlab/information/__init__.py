"""What a scheduler knows, against what that is worth: one chart over all systems."""
