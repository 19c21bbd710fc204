"""The project's own tests: called, read, and asked what a change broke and what no test runs."""
