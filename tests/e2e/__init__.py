"""What users get, seen from outside: by the clients' own list and by PyMongo."""
