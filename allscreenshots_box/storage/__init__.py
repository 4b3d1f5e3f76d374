"""What must last: the one SQLite file, copies of it, what happened to it, and the room that it needs."""
