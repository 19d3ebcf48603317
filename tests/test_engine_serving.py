"""What the engine offers beyond continuing one prompt: shared prefixes, scores, adapters, drafts, budgets, new weights."""

from __future__ import annotations

import pytest
import torch

from phiforge.engine.engine import Engine
from phiforge.engine.guide import Grammar, Grammars, Thinking
from phiforge.engine.request import Event, Failed, Finished, Request, Sampling, Score, Scored, Token
from phiforge.kernels.attention import BLOCK, Pool
from phiforge.model.config import PRESETS, shrink
from phiforge.model.lora import merge, new_adapter
from phiforge.model.phi3 import Phi3

CONFIG = shrink(PRESETS["phi-4"])
GREEDY = Sampling(temperature=0, max_tokens=12)
VOCABULARY = [bytes([i]) for i in range(256)] + [b""] * (CONFIG.vocab_size - 256)


def prompt(length: int, seed: int = 0) -> list[int]:
    return torch.randint(3, 256, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def per_block(dtype: torch.dtype = torch.float32) -> int:
    return Pool.bytes_per_block(CONFIG.n_layers, CONFIG.n_kv_heads, CONFIG.head_dim, dtype)


def drain(engine: Engine, *requests: Request | Score) -> list[Event]:
    for request in requests:
        engine.submit(request)
    events = []
    while engine.busy:
        events += engine.step()
    return events


def tokens(events: list[Event], request: Request, sample: int = 0) -> list[int]:
    return [e.id for e in events if isinstance(e, Token) and (e.request, e.sample) == (request.id, sample)]


@torch.inference_mode()
def plain(model: Phi3, ids: list[int], n: int) -> list[int]:
    ids = list(ids)
    for _ in range(n):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return ids[-n:]


def counted(engine: Engine) -> list[int]:
    """Rows of every forward pass, as they come."""
    rows: list[int] = []
    inner = engine.model.embed_tokens.forward

    def count(ids: torch.Tensor) -> torch.Tensor:
        rows.append(ids.numel())
        return inner(ids)

    engine.model.embed_tokens.forward = count  # type: ignore[method-assign]
    return rows


# --- prefixes --------------------------------------------------------------------------------------------------------


def test_a_prompt_that_was_read_is_not_read_again(network) -> None:
    model = network(CONFIG)
    engine = Engine(model)
    rows = counted(engine)
    first, again = Request(prompt=prompt(50), sampling=GREEDY), Request(prompt=prompt(50), sampling=GREEDY)
    longer = Request(prompt=prompt(50) + prompt(10, 1), sampling=GREEDY)
    drain(engine, first)
    assert rows[0] == 50
    events = drain(engine, again)
    assert rows[12] == 50 - 48
    assert [e.cached_tokens for e in events if isinstance(e, Finished)] == [48]
    assert tokens(events, again) == plain(model, prompt(50), 12)
    assert tokens(drain(engine, longer), longer) == plain(model, prompt(50) + prompt(10, 1), 12)


def test_the_same_prompt_at_the_same_time_is_read_once(network) -> None:
    model = network(CONFIG)
    engine = Engine(model)
    rows = counted(engine)
    requests = [Request(prompt=[*prompt(65), i], sampling=GREEDY) for i in range(5, 9)]
    events = drain(engine, *requests)
    assert rows[:2] == [66, 1 + 3 * 2]  # the first one's next token, and what is not a whole block of the others
    for request in requests:
        assert tokens(events, request) == plain(model, list(request.prompt), 12)  # type: ignore[arg-type]


def test_an_answer_is_found_when_the_conversation_goes_on(network) -> None:
    engine = Engine(network(CONFIG))
    first = Request(prompt=prompt(20), sampling=GREEDY)
    said = tokens(drain(engine, first), first)
    events = drain(engine, Request(prompt=prompt(20) + said + prompt(5, 3), sampling=GREEDY))
    assert next(e.cached_tokens for e in events if isinstance(e, Finished)) == 16


def test_other_embeddings_are_another_prefix(network) -> None:
    model = network(CONFIG)
    engine = Engine(model)
    a, b = (model.embed_tokens(torch.tensor(prompt(20, s))).detach() for s in (1, 2))
    ids = prompt(4)
    for block, seed in ((a, 1), (b, 2), (a, 1)):
        request = Request(prompt=[*ids, block, *ids], sampling=GREEDY)
        events = drain(engine, request)
        assert tokens(events, request) == plain(model, ids + prompt(20, seed) + ids, 12)
    assert next(e.cached_tokens for e in events if isinstance(e, Finished)) == 16


# --- memory ----------------------------------------------------------------------------------------------------------


def test_short_memory_sends_the_youngest_back_and_loses_nothing(network) -> None:
    model = network(CONFIG)
    engine = Engine(model, memory=9 * per_block())
    requests = [Request(prompt=prompt(20, i), n=2, sampling=Sampling(temperature=0, max_tokens=40)) for i in range(4)]
    events = drain(engine, *requests)
    for request in requests:
        for sample in range(2):
            assert tokens(events, request, sample) == plain(model, list(request.prompt), 40)  # type: ignore[arg-type]
    assert engine.blocks_held == 0


def test_what_can_never_fit_is_refused_by_name(network) -> None:
    engine = Engine(network(CONFIG), memory=4 * per_block())
    with pytest.raises(
        ValueError, match=r"prompt has 60 tokens and max_tokens is 5: together more than the 64 tokens"
    ):
        engine.submit(Request(prompt=prompt(60), sampling=Sampling(max_tokens=5)))
    with pytest.raises(ValueError, match="adapter 'x' is not loaded; loaded are: none"):
        engine.submit(Request(prompt=[1], adapter="x"))
    with pytest.raises(ValueError, match="logit_bias names token 512"):
        engine.submit(Request(prompt=[1], sampling=Sampling(logit_bias={512: 1.0})))
    with pytest.raises(ValueError, match="continuation has 9"):
        engine.submit(Score(prompt=prompt(60), continuation=prompt(9)))
    with pytest.raises(ValueError, match="needs an engine that was given"):
        engine.submit(Request(prompt=[1], sampling=Sampling(grammar=Grammar.regex("a"))))
    assert not engine.busy


def test_without_max_tokens_an_answer_goes_as_far_as_memory(network) -> None:
    engine = Engine(network(CONFIG), memory=3 * per_block())
    request = Request(prompt=prompt(10), sampling=Sampling(temperature=0))
    events = drain(engine, request)
    assert len(tokens(events, request)) == 3 * BLOCK - 10
    assert [e.reason for e in events if isinstance(e, Finished)] == ["length"]


def test_out_of_memory_ends_the_largest_request_alone(network, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(CONFIG)
    engine = Engine(model)
    inner = Phi3.hidden

    def hidden(self: Phi3, *args: object, **options: object) -> torch.Tensor:
        if options["embeddings"].shape[0] > 60:  # type: ignore[union-attr]
            raise torch.OutOfMemoryError("no room")
        return inner(self, *args, **options)

    expected = plain(model, prompt(20), 12)
    monkeypatch.setattr(Phi3, "hidden", hidden)
    small, large = Request(prompt=prompt(20), sampling=GREEDY), Request(prompt=prompt(90), n=3, sampling=GREEDY)
    events = drain(engine, small, large)
    failed = [e for e in events if isinstance(e, Failed)]
    assert [(e.request, e.sample) for e in failed] == [(large.id, 0), (large.id, 1), (large.id, 2)]
    assert tokens(events, small) == expected
    assert engine.blocks_held == 0


@pytest.mark.parametrize(("dtype", "close"), [(torch.bfloat16, 0.05), (torch.int8, 0.3)])
def test_a_smaller_cache_says_nearly_the_same(network, dtype: torch.dtype, close: float) -> None:
    model = network(CONFIG)
    score = [Score(prompt=prompt(40), continuation=prompt(30, 1)) for _ in range(2)]
    (exact,), (rounded,) = (
        [e for e in drain(Engine(model, kv_dtype=d), s) if isinstance(e, Scored)]
        for d, s in zip((None, dtype), score, strict=True)
    )
    difference = torch.tensor(exact.logprobs) - torch.tensor(rounded.logprobs)
    assert 0 < difference.abs().mean() < close
    assert per_block(dtype) < 0.6 * per_block()


# --- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "c"), [(1, 1), (1, 40), (16, 16), (40, 3), (33, 100)])
def test_scores_are_the_networks_log_probabilities(network, p: int, c: int) -> None:
    model = network(CONFIG)
    ids = prompt(p + c)
    with torch.inference_mode():
        logprobs = model(torch.tensor([ids]))[0].log_softmax(-1)
    target = torch.tensor(ids[p:])
    expected = logprobs[p - 1 : -1].gather(-1, target[:, None])[:, 0]
    (scored,) = drain(Engine(model), Score(prompt=ids[:p], continuation=ids[p:]))
    assert isinstance(scored, Scored)
    assert scored.logprobs == pytest.approx(expected.tolist(), abs=1e-4)
    assert scored.greedy == tuple((logprobs[p - 1 : -1].argmax(-1) == target).tolist())
    assert scored.total == pytest.approx(float(expected.sum()), abs=1e-3)


def test_the_choices_of_one_question_read_it_once(network) -> None:
    engine = Engine(network(CONFIG))
    rows = counted(engine)
    drain(engine, *(Score(prompt=prompt(200), continuation=prompt(3, i)) for i in range(4)))
    assert sum(rows) <= 200 + 2 + 3 * (8 + 2)


def test_scores_and_samples_share_a_batch_in_chunks(network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phiforge.engine.scheduler.PREFILL_ALONE", 32)
    monkeypatch.setattr("phiforge.engine.scheduler.PREFILL_BESIDE", 24)
    model = network(CONFIG)
    request = Request(prompt=prompt(70), n=3, sampling=GREEDY)
    score = Score(prompt=prompt(11, 4), continuation=prompt(90, 5))
    by_itself = drain(Engine(model), Score(prompt=score.prompt, continuation=score.continuation))
    events = drain(Engine(model), request, score)
    alone, scored = (e for e in (*by_itself, *events) if isinstance(e, Scored))
    assert scored.logprobs == pytest.approx(alone.logprobs, rel=2e-6, abs=1e-5)  # fp32, down to -12
    assert tokens(events, request, 2) == plain(model, prompt(70), 12)


# --- drafts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0, 0.9])
def test_drafts_change_nothing_and_save_steps(network, temperature: float) -> None:
    model = network(CONFIG)
    sampling = Sampling(
        temperature=temperature, seed=5, max_tokens=80, logprobs=2, logit_bias={7: 9.0, 8: 9.0, 9: 8.0}
    )
    out, steps = [], []
    for speculate in (False, True):
        engine = Engine(model, speculate=speculate)
        rows = counted(engine)
        request = Request(prompt=[7, 8, 9] * 8, sampling=sampling)
        events = drain(engine, request)
        out.append([(e.id, round(e.logprob or 0, 2), e.text) for e in events if isinstance(e, Token)])
        steps.append(len(rows))
    assert out[0] == out[1]
    assert len(out[0]) == 80
    assert steps[1] < steps[0]


# --- guides ----------------------------------------------------------------------------------------------------------


def test_a_grammar_holds_for_every_sample(network) -> None:
    engine = Engine(
        network(CONFIG),
        grammars=lambda: Grammars(lambda: VOCABULARY, specials={0}, end=0, vocab_size=CONFIG.vocab_size),
        speculate=True,
    )
    sampling = Sampling(temperature=1, seed=2, max_tokens=40, stop_ids=(0,), grammar=Grammar.regex("(ab|cde){2,6}!"))
    request, free = Request(prompt=prompt(9), n=4, sampling=sampling), Request(prompt=prompt(5), sampling=GREEDY)
    events = drain(engine, request, free)
    import re

    texts = {bytes(tokens(events, request, i)).decode() for i in range(4)}
    assert all(re.fullmatch("(ab|cde){2,6}!", text) for text in texts)
    assert len(texts) > 1
    assert {e.reason for e in events if isinstance(e, Finished) and e.request == request.id} == {"stop"}
    assert tokens(events, free) == plain(engine.model, prompt(5), 12)
    with pytest.raises(ValueError, match="regex"):
        engine.submit(Request(prompt=[1], sampling=Sampling(grammar=Grammar.regex("(("))))


def test_a_thought_ends_at_its_limit(network) -> None:
    thinking = Thinking(open=(300,), close=(301, 302), begun=True, hard=5)
    request = Request(prompt=prompt(9), sampling=Sampling(temperature=0, max_tokens=12, thinking=thinking))
    got = tokens(drain(Engine(network(CONFIG)), request), request)
    assert got[5:7] == [301, 302]
    assert got[:5] == plain(network(CONFIG), prompt(9), 5)


# --- weights ---------------------------------------------------------------------------------------------------------


def test_each_request_has_its_adapter(network) -> None:
    model = network(CONFIG)
    generator = torch.Generator().manual_seed(1)
    adapters = {name: new_adapter(CONFIG, rank=4, generator=generator) for name in "ab"}
    for adapter in adapters.values():
        for low_rank in adapter.updates.values():
            low_rank.b.normal_(std=0.3, generator=generator)
    engine = Engine(model)
    for name, adapter in adapters.items():
        engine.add_adapter(name, adapter)
    requests = [Request(prompt=prompt(40), n=2, adapter=name, sampling=GREEDY) for name in ("a", None, "b")]
    events = drain(engine, *requests)
    answers = []
    for request in requests:
        merged = network(CONFIG)
        if request.adapter:
            merge(merged, adapters[request.adapter])
        answers.append(plain(merged, prompt(40), 12))
        assert tokens(events, request) == tokens(events, request, 1) == answers[-1]
    assert answers[0] != answers[1] != answers[2]
    engine.remove_adapter("a")
    with pytest.raises(ValueError, match="adapter 'a' is not loaded; loaded are: b"):
        engine.submit(Request(prompt=[1], adapter="a"))


def test_new_weights_take_over_at_once(network) -> None:
    engine = Engine(network(CONFIG))
    running = Request(prompt=prompt(40), sampling=Sampling(temperature=0, max_tokens=10))
    engine.submit(running)
    events = [event for _ in range(4) for event in engine.step()]
    other = network(CONFIG, seed=1)
    engine.update(dict(other.named_parameters()))
    while engine.busy:
        events += engine.step()
    begun = plain(network(CONFIG), prompt(40), 4)
    assert tokens(events, running) == begun + plain(other, prompt(40) + begun, 6)
    after = Request(prompt=prompt(40), sampling=GREEDY)
    assert tokens(drain(engine, after), after) == plain(other, prompt(40), 12)
    with pytest.raises(ValueError, match="nothing"):
        engine.update({"nothing.weight": torch.zeros(1)})
