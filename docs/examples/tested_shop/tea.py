"""A tea shop that answers in JSON, and is tracked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request

from flask_tracking import Tracking

PRICES = {"green": 3, "black": 2, "white": 5}


def find_price(tea: str) -> int:
    """Ask the database, once for each tea."""
    return PRICES[tea]


def create_app() -> Flask:
    """Make the app."""
    app = Flask("tea_shop")
    tracking = Tracking(app)  # with the app's own MongoDB, which the tests do not need

    @app.post("/login")
    def log_in() -> dict[str, Any]:
        tracking.span.set_user(request.json["name"])
        return {"welcome": request.json["name"]}

    @app.post("/orders")
    def create_order() -> tuple[dict[str, Any], int]:
        total = 0
        for tea in request.json["teas"]:
            with tracking.span.child("db query"):
                total += find_price(tea)
        tracking.span.set("total", total)
        return {"total": total}, 201

    @app.get("/teas.csv")
    def list_teas() -> Response:
        def produce() -> Iterator[str]:
            for tea, price in PRICES.items():
                yield f"{tea},{price}\n"

        return app.response_class(produce(), mimetype="text/csv")

    @app.get("/share/<int:guests>")
    def share(guests: int) -> dict[str, float]:
        return {"cups": 12 / guests}

    @app.errorhandler(Exception)
    def answer(error: Exception) -> tuple[dict[str, str], int]:
        return {"error": "Something went wrong."}, 500

    return app
