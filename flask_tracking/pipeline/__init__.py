"""What runs on the worker thread: it may be slow, but never unbounded.

`worker` takes captures from the queue, `assemble` makes records of them, `rules` decides which are
kept, and an exporter stores those.
"""
