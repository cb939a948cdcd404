"""The collection as a MongoEngine document: ``Tracking.objects.filter(execution_time__gte=1000)``.

One class serves all apps. ``objects`` selects the collection at each query: that of the current app,
otherwise that of the only tracked app of the process, otherwise the collection ``tracking`` of the
MongoEngine connection ``default``. ``kept_objects`` queries the kept records there. Documents of the
first flask-tracking can be read too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson import DBRef
from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    DynamicField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    GenericReferenceField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
    queryset_manager,
)
from mongoengine.connection import get_db
from mongoengine.errors import DoesNotExist, NotRegistered
from pymongo.collection import Collection
from pymongo.database import Database

from .errors import TrackingError
from .exporters.store import find_store
from .querysets import QualifiedNameField, TrackingQuerySet
from .registry import find_tracked
from .runtime.text import visible

if TYPE_CHECKING:
    from .reproduce.replay import Replay, Values

__all__ = ["ChildTiming", "ExceptionInfo", "Remark", "Tracking", "UserAgent"]


class UserField(GenericReferenceField):
    """A reference to the user's document; the raw value if the document or its class is missing."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        try:
            return super().__get__(instance, owner)
        except (NotRegistered, DoesNotExist, KeyError):
            return instance._data.get(self.name)


class CustomDataField(DynamicField):
    """Any value; a ``_cls`` unknown to MongoEngine is ordinary data."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except NotRegistered:
            return value


class UserAgent(EmbeddedDocument):
    """The headers ``User-Agent`` and ``Accept-Language``, parsed."""

    browser = StringField()
    version = StringField()
    platform = StringField()
    language = StringField()
    string = StringField()
    browser_name = StringField()
    platform_name = StringField()

    meta = {"strict": False, "allow_inheritance": False}


class ExceptionInfo(EmbeddedDocument):
    """An exception as text."""

    type = QualifiedNameField()
    message = StringField()
    traceback = StringField()

    meta = {"strict": False, "allow_inheritance": False}


class ChildTiming(EmbeddedDocument):
    """A named timing inside a request, in milliseconds since it arrived."""

    name = StringField()
    start_ms = FloatField()
    duration_ms = FloatField()
    error = StringField()

    meta = {"strict": False, "allow_inheritance": False}


class Remark(EmbeddedDocument):
    """The place of a secret that was removed from the record, and the reason."""

    path = StringField()
    rule = StringField()
    offset = IntField()
    length = IntField()
    stored_offset = IntField()
    stored_length = IntField()

    meta = {"strict": False, "allow_inheritance": False}


class Tracking(Document):
    """One HTTP request with its response.

    The fields are those of `flask_tracking.Record`. Durations are in milliseconds, sizes in bytes.
    Times are naive and in UTC.

    .. versionadded:: 2.0
    """

    kind = StringField()
    name = StringField()
    date_created = DateTimeField()
    date_stored = DateTimeField()
    method = StringField()
    scheme = StringField()
    host = StringField()
    path = StringField()
    query_params = StringField()
    target = StringField()
    http_version = StringField()
    ip = StringField()
    user = UserField()
    user_id = StringField()
    user_text = StringField(db_field="user_repr")
    """The field ``user_repr``; that name belongs to the classic method."""
    user_agent = EmbeddedDocumentField(UserAgent)
    request_headers = ListField()
    request_body = BinaryField()
    request_body_size = IntField()
    request_body_note = StringField()
    status_code = IntField()
    response_headers = ListField()
    response_body = BinaryField()
    response_body_size = IntField()
    response_body_note = StringField()
    execution_time = FloatField()
    time_to_first_byte = FloatField()
    outcome = StringField()
    endpoint = StringField()
    url_rule = StringField()
    blueprint = StringField()
    view_args = DictField()
    exception = EmbeddedDocumentField(ExceptionInfo)
    trace_id = StringField()
    span_id = StringField()
    parent_span_id = StringField()
    request_id = StringField()
    replay_of = ObjectIdField()
    hostname = StringField()
    process = StringField()
    app = StringField()
    version = StringField()
    custom_data = CustomDataField()
    children = EmbeddedDocumentListField(ChildTiming)
    dropped_before = IntField()
    notes = ListField(StringField())
    kept = BooleanField()
    kept_reason = StringField()
    redacted = EmbeddedDocumentListField(Remark)
    redaction_version = StringField()

    # The exporter creates the collection: sizes in `meta` would clash with an existing one.
    meta = {
        "collection": "tracking",
        "strict": False,
        "allow_inheritance": False,
        "auto_create_index": False,
        "auto_create_index_on_save": False,
        "ordering": ["-date_created"],
        "queryset_class": TrackingQuerySet,
    }

    @classmethod
    def _get_db(cls) -> Database[dict[str, Any]]:
        tracked = find_tracked()
        store = tracked and find_store(tracked.exporter)
        open_collection = getattr(store, "collection", None)
        if open_collection is not None:
            return open_collection().database  # type: ignore[no-any-return]
        if tracked is not None:
            raise TrackingError(
                f"The app {tracked.name!r} has no MongoDB collection: its exporter is "
                f"{type(tracked.exporter).__name__}. Query the exporter instead."
            )
        return get_db()  # type: ignore[no-any-return]

    @classmethod
    def _get_collection_name(cls) -> str:
        tracked = find_tracked()
        return tracked.settings.collection if tracked is not None else "tracking"

    @classmethod
    def _get_collection(cls) -> Collection[dict[str, Any]]:
        # MongoEngine caches the first collection; ours depends on the app.
        return cls._get_db()[cls._get_collection_name()]

    @queryset_manager
    def kept_objects(cls, queryset: TrackingQuerySet) -> TrackingQuerySet:  # noqa: N805 - MongoEngine calls it with the class
        """Query the kept records, in their collection, as ``objects`` queries all."""
        return TrackingQuerySet(cls, cls._get_db()[f"{cls._get_collection_name()}_kept"])

    def user_repr(self) -> str:
        """Return the user's id, or ``-``; with ``Tracking(user_repr=...)`` the text of that function.

        The user's document is not loaded.
        """
        tracked = find_tracked()
        if tracked is not None and tracked.user_repr is not None:
            return tracked.user_repr(self)
        if self.user_id:
            return str(self.user_id)
        user = self._data.get("user")
        reference = user.get("_ref") if isinstance(user, dict) else user
        if isinstance(reference, DBRef):
            return str(reference.id)
        return str(getattr(reference, "pk", None) or self.user_text or "-")

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """Return the value of the first request header of that name.

        Args:
            name: in any case.
            default: the result if the header is missing.
        """
        wanted = name.lower()
        for header, value in self.request_headers:
            if header.lower() == wanted:
                return str(value)
        return default

    def __str__(self) -> str:
        """Return one line: id, time, method, user, path with query, status, time in ms."""
        target = f"{self.path}?{self.query_params}" if self.query_params else self.path
        return visible(
            f"{self.id} {self.date_created:%Y-%m-%d %H:%M:%S} {self.method} {self.user_repr()} "
            f"{target} {self.status_code} {round(self.execution_time or 0)}ms"
        )

    def replay(
        self,
        to: str | None = None,
        *,
        values: Values | None = None,
        as_user: str | None = None,
        unsafe: bool = False,
        any_host: bool = False,
    ) -> Replay:
        """Send the request again, and return how the response differs from the recorded one.

        The replay makes a record of its own, with `replay_of`; this one stays as it is.

        Args:
            to: the URL of a server; None sends it to the current app, in this process.
            values: values for redacted or truncated parts, by name; the error names missing ones.
            as_user: the id of the user who is logged in by Flask-Login; only in the current app.
            unsafe: send other methods than GET, HEAD and OPTIONS, too.
            any_host: send it to another machine, too.

        Raises:
            ReplayError: the replay is refused, or no app or server answers.
            TrackingError: the record has no request.
        """
        from .exporters.mongo.codec import from_document
        from .reproduce.replay import replay

        record = from_document(self.to_mongo())
        return replay(record, to, values=values, as_user=as_user, unsafe=unsafe, any_host=any_host)

    def debug(self) -> None:
        """Print the whole record: the line, the request and the response with their bodies.

        Control characters in recorded data are escaped.
        """
        print(describe(self))


def describe(document: Tracking) -> str:
    """Return what `Tracking.debug` prints."""
    lines = [str(document), "", "Request:"]
    lines += _describe_message(
        document.request_headers, document.request_body, document.request_body_note
    )
    lines += ["", "Response:"]
    lines += _describe_message(
        document.response_headers, document.response_body, document.response_body_note
    )
    if document.exception:
        lines += ["", "Exception:", *_indented(document.exception.traceback or "")]
    if document.custom_data is not None:
        lines += ["", f"Custom data: {document.custom_data!r}"]
    return "\n".join(map(visible, lines))


def _describe_message(headers: Any, body: Any, note: str | None) -> list[str]:
    lines = [f"    {name}: {value}" for name, value in headers or ()]
    if body:
        lines += ["", *_indented(bytes(body).decode("utf-8", "replace"))]
    if note:
        lines += [f"    (body: {note})"]
    return lines


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.rstrip().split("\n")]
