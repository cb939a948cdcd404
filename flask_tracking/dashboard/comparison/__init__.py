"""Two sets of requests side by side: what they share, and how they differ."""
