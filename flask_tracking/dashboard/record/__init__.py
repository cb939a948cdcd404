"""The parts of one record, prepared for its page: bodies, facts, tracebacks, child spans."""
