"""The MongoDB store, which uses a client of its own."""

from .exporter import MongoExporter

__all__ = ["MongoExporter"]
