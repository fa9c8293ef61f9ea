"""Random disturbances of a small bench, after each of which the same command goes on: ``make chaos``.

In the end tables, weights and answers must be those of a bench to which nothing happened, and nothing may be left of a
process, a folder or a semaphore.
"""
