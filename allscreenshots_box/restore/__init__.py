"""A backup in the place of the database."""
