"""The worker thread's part: it may be slow, but never unbounded.

- `worker` takes captures from the queue, `assemble` makes records of them, and `rules` decides which
  are kept.
- `flask_tracking.redaction`, a library beside this package, removes their secrets. `record_fields`
  tells it what each field holds, `callback` gives it the app's ``SECRET_KEY``.
- An exporter stores what is left.

RE2 serves both redaction and `agents`, which share its lock.
"""
