"""Work that takes a while, done beside the event loop in threads that last as long as the process.

A loop's own threads end with it, and the system ends a sandbox with the thread that started it: a run has many loops.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

T = TypeVar("T")


async def aside(function: Callable[..., T], *args: Any, **options: Any) -> T:
    """What the function returns, or raises."""
    return await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), partial(function, *args, **options))


@cache
def _threads(process: int) -> ThreadPoolExecutor:  # a forked process has none of its parent's
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="phiforge-aside")
