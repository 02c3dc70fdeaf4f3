"""Updates: the loop, and a pure step of each backend."""
