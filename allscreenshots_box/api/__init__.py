"""The operations of /v1, and what is told of them to machines and people."""
