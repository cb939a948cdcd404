"""Connexion 3: an ASGI application around a Flask app, whose WSGI callable it takes when it is made."""

from __future__ import annotations

from typing import Any

from flask import request

from ..exchange import Scene, get, post, scenes
from ..journal import note
from ._base import Factory, Track

SPECIFICATION = {
    "openapi": "3.0.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/items/{number}": {
            "get": {
                "operationId": "get",
                "parameters": [
                    {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
                ],
                "responses": {"200": {"description": "an item"}},
            }
        },
        "/items": {
            "post": {
                "operationId": "post",
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {"name": {"type": "string"}},
                            }
                        }
                    }
                },
                "responses": {"201": {"description": "added"}},
            }
        },
    },
}


def get_item(number: int) -> dict[str, int]:
    """Answer, or fail."""
    note(f"asked for {number}")
    return {"number": 12 // number}


def add_item(body: dict[str, str]) -> tuple[dict[str, str], int]:
    """Answer with what was sent."""
    note(f"got {request.get_data()!r}")
    return body, 201


def _make_app(name: str) -> Any:
    import connexion

    app = connexion.FlaskApp(name, server_args={"static_folder": None})
    operations = {"get": get_item, "post": add_item}
    app.add_api(SPECIFICATION, resolver=connexion.Resolver(operations.__getitem__))
    return app


def make_app(track: Track) -> Any:
    """Make an app whose Flask app is tracked when Connexion has its WSGI callable already."""
    app = _make_app("connexion")
    track(app.app)
    return app


def make_wsgi_app(track: Track) -> Any:
    """Make an app that gives the tracked callable to Connexion afterwards."""
    app = _make_app("connexion-wsgi")
    track(app.app)
    app.add_wsgi_middleware(lambda _: app.app.wsgi_app)
    return app


FACTORIES: dict[str, Factory] = {"connexion": make_app, "connexion-wsgi": make_wsgi_app}
NEEDS = dict.fromkeys(FACTORIES, ("connexion", "a2wsgi"))

JSON = "application/json"
EXCHANGES = {
    "item": get("/items/7"),
    "no such page": get("/none"),
    "method not allowed": post("/items/7"),
    "path of another type": get("/items/seven"),
    "valid body": post("/items", b'{"name": "tea"}', JSON),
    "invalid body": post("/items", b'{"name": 7}', JSON),
    "body that is no JSON": post("/items", b"{", JSON),
    "crash": get("/items/0"),
}

SCENES: list[Scene] = [
    scene
    for app, title in {"connexion": "Connexion", "connexion-wsgi": "Connexion, tracked inside"}.items()
    for scene in scenes(
        app,
        {f"{title}, {what}": asked for what, asked in EXCHANGES.items()},
        only_on=("connexion",),
        why_only="Connexion is an ASGI application",
    )
]
