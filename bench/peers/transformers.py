"""transformers, eager. Its `generate` would read the prompt once for every sample; a copied cache is the better use."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.utils import logging

from peers import TEMPERATURE, THREADS, TOP_K, Arrivals


class Transformers:
    def __init__(self, path: str, form: str, slots: int) -> None:
        torch.set_num_threads(THREADS)
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[form]
        if dtype == torch.bfloat16 and not bf16_is_native():
            raise NotImplementedError("bf16 products are emulated on this CPU, many times slower than fp32")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()

    @torch.inference_mode()
    def generate(self, prompts: list[list[int]], n: int, new: int) -> Arrivals:
        ids = torch.tensor(prompts)
        arrivals = Arrivals()
        cache = DynamicCache(config=self.model.config)
        logits = self.model(ids, cache=cache, logits_to_keep=1).logits[:, -1].repeat_interleave(n, 0)
        if n > 1:
            cache.batch_repeat_interleave(n)
        for step in range(new):
            values, candidates = (logits.float() / TEMPERATURE).topk(TOP_K)
            token = candidates.gather(-1, torch.multinomial(values.softmax(-1), 1))
            arrivals.tick()
            if step < new - 1:
                logits = self.model(token, cache=cache, logits_to_keep=1).logits[:, -1]
        return arrivals


def bf16_is_native() -> bool:
    """Whether a bf16 product is at least half as fast as an fp32 one."""
    import time

    least = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn(64, 576, dtype=dtype), torch.randn(576, 1536, dtype=dtype)
        times = []
        for _ in range(6):
            start = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - start)
        least[dtype] = min(times)
    return least[torch.bfloat16] < 2 * least[torch.float32]
