"""One door to what was trained: runs and exports."""
