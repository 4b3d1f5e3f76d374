"""What is kept out of pages, and the lists that tell."""
