"""Records in MongoDB: an `Exporter` and `Reader` over a client of its own."""

from .exporter import MongoExporter

__all__ = ["MongoExporter"]
