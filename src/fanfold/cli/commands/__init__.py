"""The commands as they are typed: one module each says its options and hands over to what carries it out."""
