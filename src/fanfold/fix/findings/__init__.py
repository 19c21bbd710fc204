"""What the checkers found, which of it is worked on, and the tasks made of that."""
