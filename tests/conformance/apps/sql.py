"""An app on SQLAlchemy, whose statements and connections are compared, and when they come."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, request, stream_with_context
from werkzeug.routing import BaseConverter

from flask_tracking import current_span

from ..exchange import Scene, get, post, scenes
from ..journal import current_scene, note
from ._base import Factory, Track, new_app
from .extensions import LOGGED_IN

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_app(track: Track) -> WSGIApplication:
    """Make an app whose users are rows, expired by every commit, as is SQLAlchemy's default."""
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy.pool import NullPool

    file = os.path.join(os.environ["CONFORMANCE_GATES"], "sql.sqlite")
    app = new_app(
        "sql",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{file}",
        SQLALCHEMY_ENGINE_OPTIONS={"poolclass": NullPool},  # a connection for each that is asked for
    )
    db: Any = SQLAlchemy(app)
    models = _make_models(db)
    _fill(app, db, models)
    _note_statements(app, db)
    _add_logins(app, db, models)
    track(app)
    _add_endings(app, db, models)
    _add_failures(app, db, models)
    _add_sign_ins(app, db, models)
    _add_objects(app, db, models)
    return app


def _make_models(db: Any) -> SimpleNamespace:
    from flask_login import UserMixin

    class Team(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        members = db.relationship("User")

        def __repr__(self) -> str:
            return f"<Team of {len(self.members)}>"

    class User(UserMixin, db.Model):
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String, unique=True)
        logins = db.Column(db.Integer, default=0)
        team_id = db.Column(db.ForeignKey(Team.id))

        def __repr__(self) -> str:
            return f"<User {self.name}>"

    class Visit(db.Model):
        id = db.Column(db.Integer, primary_key=True)

    return SimpleNamespace(Team=Team, User=User, Visit=Visit)


def _fill(app: Flask, db: Any, models: SimpleNamespace) -> None:
    with app.app_context():
        db.create_all()
        if db.session.get(models.Team, 1) is None:
            db.session.add(models.Team(id=1))
            db.session.add(models.User(id=1, name="ada", team_id=1))
            db.session.commit()


def _note_statements(app: Flask, db: Any) -> None:
    from sqlalchemy import event

    latest = ""

    @app.before_request
    def remember_scene() -> None:
        nonlocal latest
        latest = current_scene.get()

    def note_here(text: str) -> None:
        # Of another thread too: that belongs to whatever request came last.
        if latest:
            note(f"sql: {text}", current_scene.get() or latest)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *args: note_here(" ".join(args[2].split())))
    for name in ("connect", "checkout", "checkin", "close", "commit", "rollback"):
        event.listen(engine, name, _ignoring_arguments(note_here, name))


def _ignoring_arguments(take: Callable[[str], None], text: str) -> Callable[..., None]:
    return lambda *args: take(text)


def _add_logins(app: Flask, db: Any, models: SimpleNamespace) -> None:
    from flask_login import LoginManager

    manager = LoginManager(app)

    @manager.user_loader
    def load(user_id: str) -> Any:
        return db.session.get(models.User, int(user_id))

    @manager.request_loader
    def load_by_header(request: Any) -> Any:
        name = request.headers.get("X-Api-Key")
        return name and db.session.scalar(db.select(models.User).filter_by(name=name))


def _add_endings(app: Flask, db: Any, models: SimpleNamespace) -> None:
    """Add a view for each way to leave a session."""
    from flask_login import current_user
    from sqlalchemy.orm.exc import DetachedInstanceError

    @app.post("/end/<how>")
    def end(how: str) -> str:
        name = "nobody" if how.startswith("unseen") else current_user.name
        db.session.add(models.Visit())
        for method in how.removeprefix("unseen-").split("-"):
            if method == "expunge":
                db.session.expunge(current_user._get_current_object())
            elif method != "nothing":
                getattr(db.session, method)()
        return f"{name}: {how}"

    @app.get("/who")
    def who() -> str:
        return str(current_user.name)

    @app.get("/stream/<how>")
    def stream(how: str) -> Response:
        def generate(name: str) -> Iterator[str]:
            yield name
            try:
                yield current_user.name if how == "within" else "without"
            except DetachedInstanceError:
                yield "detached"

        body = generate(current_user.name)
        db.session.commit()
        return Response(stream_with_context(body) if how == "within" else body)


def _add_failures(app: Flask, db: Any, models: SimpleNamespace) -> None:
    """Add views that leave the session, and its user, unusable."""
    from flask_login import current_user, login_user
    from sqlalchemy.exc import IntegrityError

    handled = Blueprint("handled", __name__)

    @app.post("/integrity")
    @handled.post("/handled")
    def add_another() -> str:
        db.session.add(models.User(name=current_user.name))
        db.session.commit()
        return "never"

    @handled.errorhandler(IntegrityError)
    def conflict(error: Exception) -> tuple[str, int]:
        return "there is one", 409

    @app.post("/raise")
    def fail() -> str:
        note(current_user.name)
        db.session.commit()
        raise ZeroDivisionError("after a commit")

    @app.post("/delete")
    def delete() -> str:
        user = models.User(name="eve")
        db.session.add(user)
        db.session.commit()
        login_user(user)
        db.session.delete(user)
        db.session.commit()
        return "deleted"

    app.register_blueprint(handled)


def _add_sign_ins(app: Flask, db: Any, models: SimpleNamespace) -> None:
    from flask_login import login_user, logout_user

    @app.post("/login")
    def login() -> str:
        user = db.session.get(models.User, 1)
        login_user(user)
        user.logins += 1
        db.session.commit()
        return "logged in"

    @app.post("/logout")
    def logout() -> str:
        logout_user()
        db.session.add(models.Visit())
        db.session.commit()
        return "logged out"


def _add_objects(app: Flask, db: Any, models: SimpleNamespace) -> None:
    """Add views that give rows to tracking."""

    class UserConverter(BaseConverter):
        def to_python(self, value: str) -> Any:
            return db.session.get(models.User, int(value))

    app.url_map.converters["user"] = UserConverter

    @app.post("/data/<how>")
    def data(how: str) -> str:
        team, user = db.session.get(models.Team, 1), db.session.get(models.User, 1)
        if how.startswith("request"):
            request._tracking_data = {"user": user, "team": team}  # type: ignore[attr-defined]
        else:
            current_span().set("user", user)
            current_span().set("team", [team])
        if how.endswith("commit"):
            db.session.commit()
        return how

    @app.post("/user/<user:user>")
    def show(user: Any) -> str:
        name: str = user.name
        db.session.commit()
        return name


FACTORIES: dict[str, Factory] = {"sql": make_app}
NEEDS = {"sql": ("flask_sqlalchemy", "flask_login")}

COLUMNS: dict[str, Any] = {
    "only_on": ("test client", "extensions"),
    "why_only": "apps on larger packages have columns of their own",
}
ADA: dict[str, Any] = {**COLUMNS, "recorded": ({"user_id": "1"},)}
"""Scenes whose records name the user, whatever became of its object."""


def _as_ada(target: str) -> Any:
    return post(target, headers=LOGGED_IN)


SCENES: list[Scene] = [
    *scenes(
        "sql",
        {
            "SQL, nothing done with the user": get("/who", LOGGED_IN),
            "SQL, commit": _as_ada("/end/commit"),
            "SQL, commit, user not loaded": _as_ada("/end/unseen-commit"),
            "SQL, flush alone": _as_ada("/end/flush"),
            "SQL, left open": _as_ada("/end/nothing"),
            "SQL, rollback": _as_ada("/end/rollback"),
            "SQL, close": _as_ada("/end/close"),
            "SQL, commit and close": _as_ada("/end/commit-close"),
            "SQL, commit and remove": _as_ada("/end/commit-remove"),
            "SQL, commit and expire": _as_ada("/end/commit-expire_all"),
            "SQL, commit and detach": _as_ada("/end/commit-expunge"),
            "SQL, detach": _as_ada("/end/expunge"),
            "SQL, IntegrityError": _as_ada("/integrity"),
            "SQL, IntegrityError that is handled": _as_ada("/handled"),
            "SQL, commit and crash": _as_ada("/raise"),
            "SQL, login": post("/login"),
            "SQL, commit by a user of the header": post("/end/commit", headers={"X-Api-Key": "ada"}),
            "SQL, commit and stream": get("/stream/without", LOGGED_IN),
            "SQL, commit and stream within the context": get("/stream/within", LOGGED_IN),
        },
        **ADA,
    ),
    *scenes(
        "sql",
        {
            "SQL, logout": _as_ada("/logout"),
            "SQL, user deleted": post("/delete"),
            "SQL, nobody commits": post("/end/unseen-commit"),
            "SQL, rows as request data": post("/data/request"),
            "SQL, rows as request data, commit": post("/data/request-commit"),
            "SQL, rows as custom data": post("/data/span"),
            "SQL, rows as custom data, commit": post("/data/span-commit"),
            "SQL, row in the path, commit": post("/user/1"),
            "SQL, row in the path, user": post("/user/1", headers=LOGGED_IN),
        },
        **COLUMNS,
    ),
]
