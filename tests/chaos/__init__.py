"""Everything fails, in random order, while clients go on: ``make chaos``."""

STATS = "CHAOS_STATS"
"""The environment variable with the folder where each process leaves its numbers when it ends."""
UNTRACKED = "CHAOS_UNTRACKED"
"""The environment variable that leaves out tracking."""
