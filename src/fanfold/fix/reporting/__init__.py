"""What a run came to, from its record to what is told."""
