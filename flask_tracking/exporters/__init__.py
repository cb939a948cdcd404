"""Exporters and stores: `base` and `store` define their contracts, the other modules implement them."""
