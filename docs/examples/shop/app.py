"""A small tea shop that records its requests.

Try it, each line in a terminal of its own:

    flask --app docs/examples/shop/app.py tracking serve
    flask --app docs/examples/shop/app.py run
    flask --app docs/examples/shop/app.py tracking list
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from werkzeug.exceptions import HTTPException

from flask_tracking import Tracking

app = Flask(__name__, instance_path=os.environ.get("SHOP_INSTANCE_PATH"))
app.config.update(
    SECRET_KEY="good enough for an example",
    SESSION_COOKIE_SAMESITE="Lax",
    TRACKING_MONGODB_URI="mongodb://127.0.0.1:27027/tracking",  # where `flask tracking serve` listens
    TRACKING_SPOOL_DIR=os.path.join(app.instance_path, "tracking-spool"),  # while it is stopped
    TRACKING_EXCLUDE=[r"^/static/", r"^/favicon\.ico$"],
    TRACKING_DASHBOARD=True,  # at /_tracking/
    TRACKING_APP_VERSION="2.4.1",
)
# FLASK_TRACKING_MONGODB_URI and its like. Before Tracking(app), which reads the settings only once.
app.config.from_prefixed_env()


def is_here() -> bool:
    """Let browsers on this machine see the dashboard. A real shop asks who is logged in."""
    return request.remote_addr == "127.0.0.1"


tracking = Tracking(app, dashboard_access=is_here)

PRICES = {"assam": 790, "darjeeling": 1250, "earl grey": 850, "oolong": 1490, "sencha": 1190}
"""What 100 g of each tea cost, in cents."""
SALES = {"2026-08": [1250, 790, 2980], "2026-09": [850, 850, 1190, 790], "2026-10": []}
"""What the orders of each month came to, in cents."""
PASSWORD = "darjeeling"
"""Everybody's, and the page prints it. A real shop keeps a hash for each user."""


class User(UserMixin):
    """Somebody who may log in."""

    def __init__(self, name: str) -> None:
        self.id = name


USERS = {name: User(name) for name in ("ada", "alan", "grace")}
login_manager = LoginManager(app)
login_manager.login_view = "log_in"
login_manager.user_loader(USERS.get)

# The API: JSON in, JSON out, also when something is wrong.

api = Blueprint("api", __name__, url_prefix="/api")


class PaymentError(Exception):
    """The money did not come; later it may."""


@api.get("/products")
def list_products() -> ResponseReturnValue:
    """List the prices of all teas, or of some: ``?name=grey&max_cents=900``."""
    name = request.args.get("name", "").lower()
    max_cents = request.args.get("max_cents", 10_000, type=int)
    found = {tea: cents for tea, cents in PRICES.items() if name in tea and cents <= max_cents}
    tracking.span.set("found", len(found))
    return found


@api.get("/products/<tea>")
def show_product(tea: str) -> ResponseReturnValue:
    """Show one tea."""
    return {"tea": tea, "cents": PRICES.get(tea) or abort(404, f"There is no {tea}.")}


@api.post("/orders")
def create_order() -> ResponseReturnValue:
    """Take an order: ``{"tea": "sencha", "quantity": 2, "pay_by": "card"}``."""
    order = request.get_json()
    problems = find_problems(order)
    if problems:
        return {"problems": problems}, 422
    order_id = uuid.uuid4().hex[:8]
    cents = PRICES[order["tea"]] * order["quantity"]
    tracking.span.update({"order_id": order_id, "cents": cents})
    with tracking.span.child("charge"):
        charge(cents, order["pay_by"])
    with tracking.span.child("tell the warehouse"):
        time.sleep(0.005)
    return {"order_id": order_id, "cents": cents}, 201


def find_problems(order: Any) -> list[str]:
    """Say what is wrong with an order; nothing if it is fine."""
    if not isinstance(order, dict):
        return ["An order is an object."]
    problems = []
    if order.get("tea") not in list(PRICES):  # a list: what comes may be unhashable
        problems.append(f"tea: one of {', '.join(PRICES)} is wanted.")
    if type(order.get("quantity")) is not int or not 1 <= order["quantity"] <= 99:
        problems.append("quantity: a whole number from 1 to 99 is wanted.")
    if order.get("pay_by") not in ("card", "invoice"):
        problems.append("pay_by: card or invoice is wanted.")
    return problems


def charge(cents: int, pay_by: str) -> None:
    """Stand in for the service that takes the money; at invoices it is bad."""
    time.sleep(0.01)
    if pay_by == "invoice":
        raise PaymentError("the invoice service is down for maintenance")


@api.errorhandler(PaymentError)
def answer_payment_error(error: PaymentError) -> ResponseReturnValue:
    """Ask the client to come back later; the exception is recorded all the same."""
    return {"problems": [f"Nothing was charged: {error}."]}, 503, {"Retry-After": "120"}


@api.errorhandler(HTTPException)
def answer_http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer in JSON what Flask would answer with a page."""
    return {"problems": [error.description]}, error.code or 500


app.register_blueprint(api)

# The pages.


@app.get("/")
def home() -> str:
    """Show what there is to buy."""
    return render_template("home.html", prices=PRICES)


@app.route("/feedback", methods=["GET", "POST"])
def feedback() -> ResponseReturnValue:
    """Take what a visitor has to say."""
    if request.method == "GET":
        return render_template("feedback.html")
    message = request.form.get("message", "").strip()
    stars = request.form.get("stars", type=int)
    # The classic way to annotate a request; tracking.span.set() is the other.
    request._tracking_data = {"stars": stars, "words": len(message.split())}  # type: ignore[attr-defined]
    if not message or stars not in range(1, 6):
        problem = "Please write a line and give one to five stars."
        return render_template("feedback.html", problem=problem), 422
    flash("Thank you!")
    return redirect(url_for("home"), 303)


@app.route("/login", methods=["GET", "POST"])
def log_in() -> ResponseReturnValue:
    """Log a user in."""
    page = {"users": USERS, "password": PASSWORD}
    if request.method == "GET":
        return render_template("login.html", **page)
    user = USERS.get(request.form.get("name", ""))
    if user is None or request.form.get("password") != PASSWORD:
        return render_template("login.html", **page, problem="The name or the password is wrong."), 422
    login_user(user)
    return redirect(url_for("home"), 303)


@app.post("/logout")
@login_required
def log_out() -> ResponseReturnValue:
    """Log the user out."""
    # Afterwards nobody is logged in: said before, the record has who it was.
    tracking.span.set_user(current_user.id)
    logout_user()
    return redirect(url_for("home"), 303)


@app.get("/brewing-guide.txt")
def download_guide() -> Response:
    """Send a file."""
    return send_file("brewing-guide.txt", as_attachment=True)


@app.post("/photos")
def upload_photo() -> ResponseReturnValue:
    """Take a picture of a cup of tea, and look at its size only."""
    photo = request.files.get("photo")
    return {"bytes": len(photo.read()) if photo else 0}, 201 if photo else 422


@app.get("/offers")
def stream_offers() -> Response:
    """Stream today's offers, one event each."""

    def events() -> Iterator[str]:
        for tea, cents in PRICES.items():
            time.sleep(0.01)
            yield f"data: {json.dumps({'tea': tea, 'cents': cents * 9 // 10})}\n\n"
        # The span lasts as long as the stream.
        tracking.span.set("events", len(PRICES))

    return Response(events(), mimetype="text/event-stream")


@app.get("/reports/stock")
@login_required
def report_stock() -> ResponseReturnValue:
    """Report what is in stock, which takes its time."""
    with tracking.span.child("count the boxes"):
        time.sleep(0.35)
    return {tea: 7 * len(tea) for tea in PRICES}


@app.get("/reports/sales")
@login_required
def report_sales() -> ResponseReturnValue:
    """Report the sales of a month: ``?month=2026-09``. It has a bug, which the records show."""
    month = request.args.get("month", "2026-09")
    sales = SALES.get(month, [])
    return {"month": month, "cents": sum(sales), "average": sum(sales) / len(sales)}
