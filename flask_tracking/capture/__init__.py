"""Code that runs on the request thread: cheap, and never raising into the app.

`middleware` opens a span at the WSGI boundary and ends it there, `signals` add data to it from inside
Flask. At the end one plain `Capture` is passed to a callable.
"""
