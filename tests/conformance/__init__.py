"""Proves that tracking changes nothing: every view, on every server, with tracking off and on.

`apps` holds the views and the requests that go to them, `servers` what runs them, `client` what
a client on a raw socket sees, `matrix` the runs off, off again and on, `mutants` harms to be found.
`flask_suites` runs Flask's own tests instead.
"""
