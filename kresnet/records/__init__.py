"""What stands in the folder of a run or a study, and how it is read."""
