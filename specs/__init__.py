"""The shipped specs, one experiment a file."""
