"""What runs on the request thread: cheap, and never raising into the app.

`middleware` opens a span at the WSGI boundary and ends it there, `signals` annotate it from inside
Flask, and what is left at the end is one plain `Capture`, handed to a callable.
"""
