"""A Dask scheduler with one worker, in a process whose clock is off by so many seconds; it ends with its input.

python skewed_worker.py SECONDS [FOLDER TO IMPORT FROM]
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

right_s = time.time
time.time = lambda: right_s() + float(sys.argv[1])


async def main() -> None:
    import dask
    from distributed import Scheduler, Worker

    dask.config.set({"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []})
    here: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    async with Scheduler(port=0, **here) as scheduler, Worker(scheduler.address, nthreads=2, **here):
        sys.stdout.write(f"{scheduler.address}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:]
    asyncio.run(main())
