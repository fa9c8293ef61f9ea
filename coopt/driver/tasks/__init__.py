"""The tasks of a run, what is done in each, and worker processes that perform them."""
