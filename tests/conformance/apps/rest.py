"""Flask-RESTX and Flask-RESTful, which take errors over, installed before and after tracking."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, abort

from ..exchange import Scene, get, post, scenes, send
from ._base import Factory, Track, new_app
from .sql import COLUMNS

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Busy(Exception):
    """An error that the app answers with a 503."""


def make_app(library: str, order: str, track: Track) -> WSGIApplication:
    """Make an app of one library, installed before or after tracking."""
    app = new_app(f"{library}-{order}")
    add_api = {"restx": add_restx, "restful": add_restful}[library]
    install: list[Callable[[Flask], object]] = [add_api, track]
    for one in install if order == "before" else reversed(install):
        one(app)
    return app


def add_restx(app: Flask) -> None:
    """Add an API of Flask-RESTX."""
    from flask_restx import Api, Resource, reqparse

    api: Any = Api(app)
    api.add_resource(_make_item(Resource, reqparse), "/items/<int:number>")

    @api.errorhandler(Busy)
    def busy(error: Busy) -> tuple[dict[str, str], int]:
        return {"message": "busy"}, 503


def add_restful(app: Flask) -> None:
    """Add an API of Flask-RESTful."""
    from flask_restful import Api, Resource, reqparse

    api: Any = Api(app, errors={"Busy": {"message": "busy", "status": 503}})
    api.add_resource(_make_item(Resource, reqparse), "/items/<int:number>")


def _make_item(resource: Any, reqparse: Any) -> Any:
    parser = reqparse.RequestParser()
    parser.add_argument("size", type=int, required=True, location="args")

    class Item(resource):
        def get(self, number: int) -> dict[str, int]:
            if number == 0:
                raise ZeroDivisionError("in a resource")
            if number == 503:
                raise Busy
            if number > 100:
                abort(number)
            return {"number": number}

        def post(self, number: int) -> tuple[dict[str, int], int]:
            return {"size": parser.parse_args()["size"]}, 201

    return Item


NAMES = {"restx": "Flask-RESTX", "restful": "Flask-RESTful"}
ORDERS = ("before", "after")
FACTORIES: dict[str, Factory] = {
    f"{library}-{order}": functools.partial(make_app, library, order)
    for library in NAMES
    for order in ORDERS
}
NEEDS = {name: (f"flask_{name.partition('-')[0]}",) for name in FACTORIES}

BUSY = f"{__name__}.Busy"
NO_EXCEPTION = {"exception": None}
RECORDED = {
    "item": (get("/items/7"), NO_EXCEPTION),
    "no such page": (get("/none"), NO_EXCEPTION),
    "abort(404)": (get("/items/404"), NO_EXCEPTION),
    "abort(409)": (get("/items/409"), NO_EXCEPTION),
    "method not allowed": (send("DELETE", "/items/7"), NO_EXCEPTION),
    "valid": (post("/items/7?size=3"), NO_EXCEPTION),
    "validation error": (post("/items/7?size=big"), NO_EXCEPTION),
    "crash": (get("/items/0"), {"status_code": 500, "exception.type": "ZeroDivisionError"}),
    "errorhandler, 503": (
        get("/items/503"),
        {"status_code": 503, "exception.type": BUSY},
    ),
}
"""What is asked, and what the record says of it."""

SCENES: list[Scene] = [
    scene
    for library, name in NAMES.items()
    for order in ORDERS
    for what, (request, recorded) in RECORDED.items()
    for scene in scenes(
        f"{library}-{order}",
        {f"{name} {order}, {what}": request},
        **COLUMNS,
        recorded=(recorded,),
    )
]
