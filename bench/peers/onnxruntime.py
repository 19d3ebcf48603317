"""ONNX Runtime GenAI. It shares no prefix: each sample reads the prompt itself. It takes up to 32 at once."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime_genai as genai

from peers import TEMPERATURE, THREADS, TOP_K, Arrivals


class OnnxRuntime:
    def __init__(self, path: str, form: str, slots: int) -> None:
        config = genai.Config(path)
        options = {"intra_op_num_threads": THREADS}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self.model = genai.Model(config)

    def generate(self, prompts: list[list[int]], n: int, new: int) -> Arrivals:
        rows = np.array([prompt for prompt in prompts for _ in range(n)], dtype=np.int32)
        length = rows.shape[1] + new
        arrivals = Arrivals()
        params = genai.GeneratorParams(self.model)
        params.set_search_options(
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=TOP_K,
            batch_size=len(rows),
            min_length=length,
            max_length=length,
        )
        generator = genai.Generator(self.model, params)
        generator.append_tokens(rows)
        for _ in range(new):
            generator.generate_next_token()
            arrivals.tick()
        return arrivals
