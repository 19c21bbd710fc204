"""A small shop with the kind of code that a linter complains about."""
