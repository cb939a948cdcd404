"""The pages. Each module has the views of one page; no page imports another."""
