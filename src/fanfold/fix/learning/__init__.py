"""Which agent fixes which rule at what cost: what was seen of it, and what follows from that."""
