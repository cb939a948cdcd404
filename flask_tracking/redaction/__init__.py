"""Redaction: detect secrets, decide about each, and replace it.

- `detection`: the formats of secrets (`formats`), and the names whose value may be one (`names`,
  `values`).
- `parsers`: where in a text a secret begins and ends, by its grammar. They find, and change nothing.
- `replacement`: replaces findings. The only module that writes.
- `record_redaction`: redacts the fields of a record, each by its kind.

Neither Flask nor the pipeline is known here.
"""
