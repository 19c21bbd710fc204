"""How changes become commits: verified together on the tip, landed, handed over."""
