"""OpenVINO GenAI's continuous batching, stepped directly."""

from __future__ import annotations

import numpy as np
import openvino as ov
import openvino_genai as genai

from peers import TEMPERATURE, THREADS, TOP_K, Arrivals


class OpenVino:
    """Prompts go in whole (512 tokens a step). The samples of a request share its prompt's blocks without the prefix
    cache, which would only cost here: no prompt comes twice."""

    def __init__(self, path: str, form: str, slots: int) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.max_num_batched_tokens = 512
        scheduler.max_num_seqs = 256
        scheduler.dynamic_split_fuse = True
        scheduler.enable_prefix_caching = False
        scheduler.cache_size = 1  # GB
        properties = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}
        self.pipeline = genai.ContinuousBatchingPipeline(path, scheduler, "CPU", properties)
        self.requests = 0

    def generate(self, prompts: list[list[int]], n: int, new: int) -> Arrivals:
        wanted = genai.GenerationConfig()
        wanted.max_new_tokens = wanted.min_new_tokens = new
        wanted.ignore_eos = True
        wanted.do_sample = True
        wanted.temperature = TEMPERATURE
        wanted.top_k = TOP_K
        wanted.num_return_sequences = n
        tensors = [ov.Tensor(np.array([prompt], dtype=np.int64)) for prompt in prompts]
        arrivals = Arrivals()
        handles = []
        for tensor in tensors:
            self.requests += 1
            handles.append(self.pipeline.add_request(self.requests, tensor, wanted))
        unread = sum(len(prompt) for prompt in prompts)
        while self.pipeline.has_non_finished_requests():
            self.pipeline.step()
            unread -= 512
            if unread <= 0 or len(prompts) > 1:
                arrivals.tick()
        answers = [answer for handle in handles for answer in handle.read_all()]
        if len(answers) != n * len(prompts) or any(len(answer.generated_ids) != new for answer in answers):
            raise RuntimeError(f"OpenVINO gave {[len(a.generated_ids) for a in answers]} tokens for {new} each")
        return arrivals
