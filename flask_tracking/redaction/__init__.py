"""Redaction: detect secrets, decide about each, and replace it.

- `detection`: what a secret looks like (`formats`), and which names say that their value may be one
  (`names`, `values`).
- `parsers`: where in a text a secret begins and ends, by its grammar. They find, and change nothing.
- `replacement`: what stands in place of a finding. The only module that writes.
- `record_redaction`: the fields of a record, each by what it holds.

Neither Flask nor the pipeline is known here.
"""
