"""llama.cpp's server, in process, from the xllamacpp wheel."""

from __future__ import annotations

import xllamacpp

from peers import TEMPERATURE, THREADS, TOP_K, Arrivals


class LlamaCpp:
    """Flash attention stays on "auto". One KV stream for all slots is its best for many samples of one prompt."""

    def __init__(self, path: str, form: str, slots: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_parallel = slots
        params.kv_unified = True
        params.n_ctx = 2048 + 160 * slots  # the whole context of the model would only cost memory
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
        params.cache_ram_mib = 0  # no copies of past prompts: none comes back
        params.n_ctx_checkpoints = 0
        params.warmup = False
        params.verbosity = -1
        self.server = xllamacpp.Server(params)

    def generate(self, prompts: list[list[int]], n: int, new: int) -> Arrivals:
        request = {
            "prompt": prompts if len(prompts) > 1 else prompts[0],
            "n": n,
            "n_predict": new,
            "stream": True,
            "ignore_eos": True,
            "cache_prompt": False,
            "temperature": TEMPERATURE,
            "top_k": TOP_K,
            "samplers": ["top_k", "temperature"],
        }
        failures: list[object] = []
        arrivals = Arrivals()

        def arrived(chunk: str | bytes | dict) -> None:
            arrivals.tick()
            if isinstance(chunk, dict) and "error" in chunk:
                failures.append(chunk["error"])

        self.server.handle_completions(request, arrived)
        if failures:
            raise RuntimeError(f"llama.cpp: {failures[0]}")
        return arrivals
