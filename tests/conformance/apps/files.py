"""Files: whole, in part and not at all, and sent by the server itself where it can."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Response, request, send_file, send_from_directory
from werkzeug.wsgi import wrap_file

from ..exchange import get, scenes, send
from ..journal import note
from ._base import Factory, Track, new_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

FOLDER = Path(__file__).parents[3] / "docs"
PAGE = "storage.md"
READ_BY_A_PROGRAM = "read by a program"
"""Where a server offers sendfile, this is never noted."""


class WatchedFile(io.FileIO):
    """A file that notes who reads it: a server that sends it by itself (``sendfile``) does not."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and note that it was not the operating system who did."""
        note(READ_BY_A_PROGRAM)
        return super().read(-1 if size is None else size) or b""

    def close(self) -> None:
        """Note the first time."""
        if not self.closed:
            note("file closed")
        super().close()


def make_app(track: Track) -> WSGIApplication:
    """Make an app that sends files."""
    app = new_app("files")
    app.static_folder = str(FOLDER / "_static")
    app.add_url_rule("/static/<path:filename>", "static", app.send_static_file)
    track(app)

    @app.get("/file")
    def whole() -> Response:
        return send_file(FOLDER / PAGE, mimetype="text/plain")

    @app.get("/attachment")
    def attachment() -> Response:
        return send_file(FOLDER / PAGE, as_attachment=True, download_name="pr\u00fcfung.txt")

    @app.get("/memory")
    def memory() -> Response:
        return send_file(io.BytesIO(b"in memory" * 1000), mimetype="text/plain")

    @app.get("/folder/<path:name>")
    def folder(name: str) -> Response:
        return send_from_directory(FOLDER, name)

    @app.get("/watched")
    def watched() -> Response:
        file = WatchedFile(str(FOLDER / PAGE))
        size = (FOLDER / PAGE).stat().st_size
        body = wrap_file(request.environ, file)
        return Response(body, headers={"Content-Length": str(size)}, direct_passthrough=True)

    return app


FACTORIES: dict[str, Factory] = {"files": make_app}

SCENES = [
    *scenes(
        "files",
        {
            "send_file": get("/file"),
            "HEAD of send_file": send("HEAD", "/file"),
            "send_file, a range": get("/file", {"Range": "bytes=10-19"}),
            "send_file, the last bytes": get("/file", {"Range": "bytes=-5"}),
            "send_file, a range beyond": get("/file", {"Range": "bytes=9999999-"}),
            "send_file, not modified": get(
                "/file", {"If-Modified-Since": "Tue, 01 Jan 2999 00:00:00 GMT"}
            ),
            "send_file, another ETag": get("/file", {"If-None-Match": '"other"'}),
            "send_file, If-Range": get("/file", {"Range": "bytes=0-4", "If-Range": '"other"'}),
            "send_file as attachment": get("/attachment"),
            "send_file from memory": get("/memory"),
            "send_from_directory": get(f"/folder/{PAGE}"),
            "send_from_directory, outside": get("/folder/../../pyproject.toml"),
            "send_from_directory, missing": get("/folder/nothing.md"),
            "static file": get("/static/custom.css"),
        },
    ),
    *scenes(
        "files",
        {
            "file that the server sends by itself": get("/watched"),
            "file for HTTP/1.0": get("/watched", version="1.0"),
        },
        never_noted=dict.fromkeys(("gunicorn sync", "gunicorn gthread", "uwsgi"), READ_BY_A_PROGRAM),
    ),
]
