"""A tea shop that is tracked, the traffic for it, and the demo that brings both together."""
