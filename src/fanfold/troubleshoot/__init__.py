"""Find out why a batch job failed: ask several sources at once, fold what they say, answer with the evidence."""
