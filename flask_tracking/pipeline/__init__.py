"""The worker's part of the way: captures become records in the store, off the request.

- `queue` holds captures until `batch`, the worker's thread, takes them; `worker` has what both kinds of
  worker share, and the one that stores inside the request.
- `summary` says what a capture is, `rules` decide by it which are stored (`active_rules` with what was
  set at run time, `sampling` for the routine), and `request_totals` counts all of them.
- `processor` makes records: `assemble` reads the capture, `flask_tracking.redaction` removes secrets,
  `callback` asks the app.
- `delivery` gives records to an exporter, tries again, and isolates a record that breaks it.
- `counters` has the numbers of one app, which `stats` shows.
"""
