"""Engines: they train the runs of a study."""
