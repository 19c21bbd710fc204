"""The parts of `benchmarks/engine.py`: what is measured, on whom, and how it is told.

`case` says what one measurement is; `plan` lists all of them; a module per peer runs them as that peer's own
documentation would; `worker` times them in a process of the peer's own; `results`, `floors`, `tables` and `plot` read
what came of it.
"""
