"""What happens to one task: agents try in turn, or race, and each change is judged."""
