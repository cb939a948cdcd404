"""Statistics of a period and of the one it is compared with: what changed, and since when."""
