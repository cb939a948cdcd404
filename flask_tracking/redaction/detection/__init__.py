"""Detection: formats, names and checks, compiled for one engine."""
