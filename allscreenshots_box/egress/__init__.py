"""All that leaves the box: where it may go, by which names, and what passes on the way."""
