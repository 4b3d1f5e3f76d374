"""One capture, from what is asked for to what is remembered of it."""
