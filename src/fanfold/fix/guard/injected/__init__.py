"""What runs inside the project's own Python processes, never inside Fanfold's."""
