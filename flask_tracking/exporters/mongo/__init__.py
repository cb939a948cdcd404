"""Records in MongoDB: a `Store` over a client of its own."""

from .exporter import MongoExporter

__all__ = ["MongoExporter"]
