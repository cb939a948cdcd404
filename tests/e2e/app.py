"""An app as people have it: MongoEngine is connected and used while it is imported."""

from __future__ import annotations

import os

import mongoengine
from flask import Flask, request

from flask_tracking import Tracking


class Product(mongoengine.Document):
    """Something to sell."""

    name = mongoengine.StringField()
    meta = {"collection": "products"}


app = Flask(__name__)
app.config.from_prefixed_env()
if "TEST_MONGODB_URI" in os.environ:
    mongoengine.connect(host=os.environ["TEST_MONGODB_URI"], uuidRepresentation="standard")
    Product.objects.first()
if "TEST_UNTRACKED" not in os.environ:
    Tracking(app)


@app.post("/echo/<int:number>")
def echo(number: int) -> bytes:
    """Answer with what was sent."""
    return request.get_data()
