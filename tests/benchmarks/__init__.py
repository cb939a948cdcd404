"""What recording costs, as ratios within one run: nothing here is collected as a test."""
