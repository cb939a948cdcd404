"""What runs on the worker thread: it may be slow, but never unbounded.

`worker` takes captures from the queue, `assemble` makes records of them, `rules` decides which are
kept, `redaction` takes the secrets out of them, and an exporter stores those.
"""
