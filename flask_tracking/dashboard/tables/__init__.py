"""Rows of the tables of requests, routes and errors."""
