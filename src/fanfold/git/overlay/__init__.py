"""Workspaces that are views of one shared snapshot: what a lease changes is in a layer of its own.

`namespace` lets the process mount, `layers` mounts, `snapshots` keeps what lies below, `upper` and `blobs` read what a
lease changed, `workspace` puts these together.
"""
