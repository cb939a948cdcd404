"""The path from captures to stored records, outside the request thread.

- `queue` holds captures until `batch`, the worker's thread, takes them. `worker` is the base class of
  both workers, and has the one that stores inside the request.
- `summary` describes a capture in a few values. `rules` decide from it which captures are stored
  (`active_rules` applies overrides, `sampling` thins out routine ones). `minute_rollups` counts all.
- `processor` makes records: `assemble` reads the capture, `flask_tracking.redaction` removes secrets,
  `callback` calls the functions of the app.
- `delivery` passes records to an exporter, retries, and isolates a record that breaks it. `background`
  runs its call while the next batch is made.
- `rollup_delivery` stores the counts, and merges those of all processes.
- `counters` has the numbers of one app, which `stats` publishes.
"""
