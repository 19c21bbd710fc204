"""A report in each of the formats that `--output-format` knows; every one escapes what it did not write itself."""
