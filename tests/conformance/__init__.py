"""Proof that tracking does no harm: the same things happen with tracking off and on."""
