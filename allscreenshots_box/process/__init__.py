"""A process on its machine: who it is, what it hears and leaves behind, what its files and memory are to it."""
