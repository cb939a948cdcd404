"""What the package needs of Python and of the process, and nothing of requests or records."""
