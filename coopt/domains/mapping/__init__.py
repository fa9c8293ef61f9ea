"""Rows of any data set: a declared mapping makes questions of them."""
