"""The parts of `benchmarks/runtimes.py`: one flow on each runtime, beside plain LangGraph.

`plan` lists what is measured, `flows` has what runs; `ours` runs it on each of Fanfold's runtimes, and plain LangGraph
runs as `engine_peers` has it. `kills` ends a process or a worker half-way, `scale` simulates a large cluster. `floors`
and `tables` read what came of it.
"""
