"""Many random requests through a small memory: every answer is the unbatched one's, and every block comes back."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from phiforge.engine.engine import Engine
from phiforge.engine.guide import Grammar, Grammars
from phiforge.engine.request import Event, Finished, Request, Sampling, Score, Scored, Token
from phiforge.kernels.attention import BLOCK, Pool
from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import Adapter, new_adapter
from phiforge.model.phi3 import Phi3

CONFIG = shrink(PRESETS["phi-4-mini-instruct"])  # crosses to LongRoPE's long factors at 64 tokens
VOCABULARY = [bytes([i]) for i in range(256)] + [
    bytes([97 + i % 26, 97 + i // 26]) for i in range(CONFIG.vocab_size - 256)
]
STOP = 0
GRAMMARS = (Grammar.regex("[a-f]{3,9}"), Grammar.regex("(ab|cd)+x"), Grammar.json_object())


def engine(model: Phi3, blocks: int | None = None, **options: object) -> Engine:
    config = model.config
    per_block = Pool.bytes_per_block(config.n_layers, config.n_kv_heads, config.head_dim, torch.float32)
    made = Engine(
        model,
        grammars=lambda: Grammars(lambda: VOCABULARY, specials={STOP}, end=STOP, vocab_size=config.vocab_size),
        memory=None if blocks is None else blocks * per_block,
        **options,  # type: ignore[arg-type]
    )
    for name in ("a", "b"):
        made.add_adapter(name, random_adapter(ord(name)))
    return made


def random_adapter(seed: int) -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    adapter = new_adapter(CONFIG, rank=4, generator=generator)
    for update in adapter.updates.values():
        update.b.normal_(std=0.2, generator=generator)
    return adapter


def random_request(rng: random.Random, stems: list[list[int]]) -> Request | Score:
    prompt = rng.choice(stems)[: rng.randint(1, 60)] + [rng.randrange(3, 512) for _ in range(rng.randint(0, 20))]
    adapter = rng.choice([None, None, "a", "b"])
    if rng.random() < 0.2:
        return Score(
            prompt=prompt, continuation=[rng.randrange(512) for _ in range(rng.randint(1, 12))], adapter=adapter
        )
    sampling = Sampling(
        temperature=rng.choice([0, 0.7, 1.3]),
        top_k=rng.choice([0, 0, 5]),
        top_p=rng.choice([1, 0.9]),
        repetition_penalty=rng.choice([1, 1, 1.2]),
        frequency_penalty=rng.choice([0, 0, 0.3]),
        logit_bias=rng.choice([{}, {7: 2.0, 9: -100.0}]),
        seed=rng.randrange(1000),
        max_tokens=rng.randint(1, 24),
        stop_ids=(STOP, *rng.sample(range(512), 20)),
        logprobs=rng.choice([None, 0, 3]),
    )
    if rng.random() < 0.2:
        sampling = replace(sampling, grammar=rng.choice(GRAMMARS), stop_ids=(STOP,))
    return Request(prompt=prompt, sampling=sampling, n=rng.choice([1, 1, 1, 2, 5]), adapter=adapter)


def outcome(events: list[Event]) -> dict[int, object]:
    """What a reader of one request sees: tokens and ending of every sample, or the scores."""
    out: dict[int, object] = {}
    for event in events:
        if isinstance(event, Token):
            out.setdefault(event.sample, []).append(event.id)  # type: ignore[union-attr]
        elif isinstance(event, Finished):
            out.setdefault(event.sample, []).append(event.reason)  # type: ignore[union-attr]
        elif isinstance(event, Scored):
            out[0] = [round(value, 3) for value in event.logprobs]
        else:
            raise event.error
    return out


def alone(model: Engine, request: Request | Score) -> dict[int, object]:
    model.submit(request)
    events = []
    while model.busy:
        events += model.step()
    return outcome(events)


@pytest.mark.parametrize("n_requests", [40, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("speculate", [False, True])
def test_stress(network, n_requests: int, speculate: bool) -> None:
    rng = random.Random(n_requests)
    crowd, single = engine(network(CONFIG), blocks=14, speculate=speculate), engine(network(CONFIG))
    stems = [[rng.randrange(3, 512) for _ in range(60)] for _ in range(3)]
    requests = {request.id: request for request in (random_request(rng, stems) for _ in range(n_requests))}
    todo = list(requests.values())
    events: dict[int, list[Event]] = {id: [] for id in requests}
    cancelled: set[int] = set()
    preempted = 0
    while todo or crowd.busy:
        for _ in range(rng.choice([0, 0, 1, 4])):
            if todo:
                crowd.submit(todo.pop())
        before = list(crowd._scheduler.running)
        for event in crowd.step():
            events[event.request].append(event)
        preempted += sum(s in before for s in crowd._scheduler.waiting)
        if rng.random() < 0.05 and crowd._scheduler.running:
            doomed = rng.choice([*crowd._scheduler.running, *crowd._scheduler.waiting]).request.id
            crowd.cancel(doomed)
            assert not crowd.has(doomed)
            cancelled.add(doomed)
        assert crowd.blocks_held <= 14
    assert crowd.blocks_held == 0
    assert preempted > 0  # the memory was tight enough to matter
    assert 0 < len(cancelled) < n_requests / 2
    for key, request in requests.items():
        expected = alone(single, request)
        got = outcome(events[key])
        if key not in cancelled:
            assert got == expected, request
            continue
        for sample, items in got.items():  # what a cancelled one had said was right so far
            assert items == expected[sample] or items[:-1] == expected[sample][: len(items) - 1]  # type: ignore[index]
            assert items == expected[sample] or items[-1] == "cancelled"  # type: ignore[index]
    assert single.blocks_held == 0
    assert BLOCK == 16
