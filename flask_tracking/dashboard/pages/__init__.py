"""The pages: a module for each, with its view and what its template shows. None knows another."""
