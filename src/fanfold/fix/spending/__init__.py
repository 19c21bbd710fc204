"""What a run may take of money, tokens and time, and what it took."""
