"""Branches on other machines: what is sent there, and what comes back."""
