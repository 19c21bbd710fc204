"""Run pytest as its own command does: without the working directory on the import path."""

import runpy

if __name__ == "__main__":
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)
