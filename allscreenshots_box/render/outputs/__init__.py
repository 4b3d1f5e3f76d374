"""What is made of a finished page: images, PDFs and texts."""
