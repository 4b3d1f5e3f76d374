"""What we claim about speed, for anyone to run."""
