"""Turns a Shot into bytes with a browser. Knows nothing of HTTP routes, keys or SQLite."""
