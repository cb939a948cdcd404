"""The app whose commands are measured: ``commands.py`` says where its records are."""

from __future__ import annotations

import os

from flask import Flask

from flask_tracking import Tracking

app = Flask("commands")
app.config["TRACKING_MONGODB_URI"] = os.environ["TRACKING_MONGODB_URI"]
Tracking(app)
