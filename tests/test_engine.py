"""The engine against the plain network and against transformers, on tiny random networks of the exact architecture."""

from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest
import torch

from phiforge.engine.driver import Driver
from phiforge.engine.engine import Engine
from phiforge.engine.request import Finished, Request, Sampling, Token
from phiforge.engine.sampler import Row, choose
from phiforge.engine.scheduler import MAX_SAMPLES
from phiforge.model.checkpoint import save
from phiforge.model.config import PRESETS, ModelConfig, Rope, shrink
from phiforge.model.phi3 import Phi3

MINI, PHI4 = shrink(PRESETS["phi-4-mini-instruct"]), shrink(PRESETS["phi-4"])  # MINI crosses to long factors at 64


def network(config: ModelConfig, seed: int = 0) -> Phi3:
    # A wide initialisation, so that logits are far apart and a wrong key or position changes the answer.
    return (
        Phi3(msgspec.structs.replace(config, init_std=0.12)).init_weights(torch.Generator().manual_seed(seed)).eval()
    )


@pytest.fixture(scope="module")
def mini() -> Phi3:
    return network(MINI)


@pytest.fixture(scope="module")
def phi4() -> Phi3:
    return network(PHI4)


def prompt(length: int, seed: int = 0) -> list[int]:
    return torch.randint(3, 512, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def run(engine: Engine, *requests: Request) -> dict[tuple[int, int], list[int]]:
    """Tokens of every sample, keyed by (position of its request, sample)."""
    return {key: [t.id for t in tokens] for key, tokens in run_events(engine, *requests).items()}


def run_events(engine: Engine, *requests: Request) -> dict[tuple[int, int], list[Token]]:
    order = {request.id: i for i, request in enumerate(requests)}
    for request in requests:
        engine.submit(request)
    out: dict[tuple[int, int], list[Token]] = {}
    while engine.busy:
        for event in engine.step():
            if isinstance(event, Token):
                out.setdefault((order[event.request], event.sample), []).append(event)
    return out


@torch.inference_mode()
def plain(model: Phi3, tokens: list[int], n: int, long: bool | None = None) -> list[int]:
    """Greedy continuation without any cache: the whole sequence through the network for every token."""
    tokens = list(tokens)
    for _ in range(n):
        tokens.append(int(model(torch.tensor([tokens]), long=long)[0, -1].argmax()))
    return tokens[-n:]


GREEDY = Sampling(temperature=0, max_tokens=12)


@pytest.mark.parametrize("config", [MINI, PHI4], ids=["mini", "phi-4"])
def test_a_mixed_batch_equals_the_plain_network(config: ModelConfig) -> None:
    model = network(config)
    lengths, samples = (5, 17, 40, 1, 33), (1, 3, 1, 4, 2)
    requests = [Request(prompt=prompt(n, n), n=s, sampling=GREEDY) for n, s in zip(lengths, samples, strict=True)]
    out = run(Engine(model), *requests)
    for i, (length, s) in enumerate(zip(lengths, samples, strict=True)):
        expected = plain(model, prompt(length, length), 12)
        assert [out[i, j] for j in range(s)] == [expected] * s


def test_requests_may_join_while_others_run(phi4: Phi3) -> None:
    engine, first, second = (
        Engine(phi4),
        Request(prompt=prompt(9), sampling=GREEDY),
        Request(prompt=prompt(30), sampling=GREEDY),
    )
    engine.submit(first)
    out: dict[int, list[int]] = {first.id: [], second.id: []}
    for turn in range(100):
        if turn == 4:
            engine.submit(second)
        if not engine.busy and turn > 4:
            break
        for event in engine.step():
            if isinstance(event, Token):
                out[event.request].append(event.id)
    assert out[first.id] == plain(phi4, prompt(9), 12)
    assert out[second.id] == plain(phi4, prompt(30), 12)


@pytest.mark.parametrize("length", [50, 63, 64, 65])
def test_recompute_crosses_the_longrope_limit_exactly(mini: Phi3, length: int) -> None:
    # `plain` reads everything again for each token, so it switches factors without any cache to go stale.
    sampling = Sampling(temperature=0, max_tokens=24)
    out = run(
        Engine(mini),
        Request(prompt=prompt(length), sampling=sampling),
        Request(prompt=prompt(length), n=3, sampling=sampling),
        Request(prompt=prompt(20, 1), sampling=sampling),  # stays short in the same batch
    )
    expected = plain(mini, prompt(length), 24)
    assert out[0, 0] == expected
    assert [out[1, i] for i in range(3)] == [expected] * 3
    assert out[2, 0] == plain(mini, prompt(20, 1), 24)


def test_different_samples_cross_the_limit_each_with_its_own_past(mini: Phi3) -> None:
    sampling = Sampling(temperature=1.5, seed=3, max_tokens=30)
    together = run(Engine(mini), Request(prompt=prompt(50), n=4, sampling=sampling))
    assert len({tuple(t) for t in together.values()}) == 4
    # The same draws applied to the plain network.
    for s in range(4):
        tokens = prompt(50)
        for step in range(30):
            with torch.inference_mode():
                logits = mini(torch.tensor([tokens]))[0, -1:]
            tokens.append(int(choose(logits, [Row(sampling, 3, s, step)])[0]))
        assert together[0, s] == tokens[50:]


def test_long_policy_takes_long_factors_from_the_start(mini: Phi3) -> None:
    engine = Engine(mini, long_rope="long")
    sampling = Sampling(temperature=0, max_tokens=20)
    out = run(engine, Request(prompt=prompt(50), sampling=sampling), Request(prompt=prompt(44), sampling=sampling))
    assert out[0, 0] == plain(mini, prompt(50), 20, long=True)  # 50 + 20 > 64
    assert out[1, 0] == plain(mini, prompt(44), 20, long=False)  # 44 + 20 = 64
    assert plain(mini, prompt(50), 20, long=True) != plain(mini, prompt(50), 20)  # the policies do differ


def test_long_prompts_are_fed_in_chunks(phi4: Phi3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phiforge.engine.scheduler.PREFILL_ALONE", 16)
    monkeypatch.setattr("phiforge.engine.scheduler.PREFILL_BESIDE", 8)
    out = run(
        Engine(phi4), Request(prompt=prompt(61), sampling=GREEDY), Request(prompt=prompt(50, 1), n=3, sampling=GREEDY)
    )
    assert out[0, 0] == plain(phi4, prompt(61), 12)
    assert out[1, 2] == plain(phi4, prompt(50, 1), 12)


def test_chunked_recompute_with_samples(mini: Phi3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phiforge.engine.scheduler.PREFILL_ALONE", 16)
    monkeypatch.setattr("phiforge.engine.scheduler.PREFILL_BESIDE", 8)
    sampling = Sampling(temperature=0, max_tokens=24)
    out = run(Engine(mini), Request(prompt=prompt(50), n=3, sampling=sampling))
    assert out[0, 1] == plain(mini, prompt(50), 24)


CONFIGS = {name: shrink(config) for name, config in PRESETS.items()} | {
    "llama": msgspec.structs.replace(PHI4, architecture="llama", rope=Rope(theta=10_000.0), tied_embeddings=True)
}


@pytest.mark.parametrize("name", CONFIGS)
def test_logprobs_equal_those_of_transformers_generate(name: str, tmp_path) -> None:
    """Token by token with a cache, over the crossing for mini: our log-probabilities and theirs within 1e-4."""
    transformers = pytest.importorskip("transformers")
    model = network(CONFIGS[name])
    save(model, tmp_path)
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    sampling = Sampling(temperature=0, max_tokens=20, logprobs=512)
    for length in (7, 55):
        theirs = reference.generate(
            torch.tensor([prompt(length)]), max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0,
            return_dict_in_generate=True, output_logits=True,
        )  # fmt: skip
        ours = run_events(Engine(model), Request(prompt=prompt(length), sampling=sampling))[0, 0]
        assert [t.id for t in ours] == theirs.sequences[0, length:].tolist()
        for token, logits in zip(ours, theirs.logits, strict=True):
            values = torch.tensor([v for _, v in sorted(token.top_logprobs)])
            assert (values - logits[0].log_softmax(-1)).abs().max() < 1e-4
            assert token.logprob == pytest.approx(float(values[token.id]), abs=1e-6)


def test_a_ragged_batch_equals_transformers_padded_one(tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    model = network(PHI4)
    save(model, tmp_path)
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    lengths = (4, 11, 23)
    ids = torch.zeros(3, 23, dtype=torch.long)
    mask = torch.zeros(3, 23, dtype=torch.long)
    for row, n in enumerate(lengths):
        ids[row, 23 - n :] = torch.tensor(prompt(n, n))
        mask[row, 23 - n :] = 1
    theirs = reference.generate(
        ids, attention_mask=mask, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    out = run(Engine(model), *(Request(prompt=prompt(n, n), sampling=GREEDY) for n in lengths))
    assert [out[i, 0] for i in range(3)] == theirs[:, 23:].tolist()


def test_a_seed_decides_whatever_else_is_in_the_batch(phi4: Phi3) -> None:
    sampling = Sampling(temperature=1.2, top_p=0.9, seed=11, max_tokens=15)
    alone = run(Engine(phi4), Request(prompt=prompt(20), n=2, sampling=sampling))
    other = Sampling(temperature=0.7, top_k=5, max_tokens=9)
    crowd = run(
        Engine(phi4),
        Request(prompt=prompt(33, 4), n=5, sampling=other),
        Request(prompt=prompt(20), n=4, sampling=sampling),
        Request(prompt=prompt(8, 5), sampling=other),
    )
    assert [alone[0, 0], alone[0, 1]] == [crowd[1, 0], crowd[1, 1]]
    assert alone[0, 0] != alone[0, 1]
    unseeded = Sampling(temperature=1.2, max_tokens=15)
    assert run(Engine(phi4), Request(prompt=prompt(20), sampling=unseeded)) != run(
        Engine(phi4), Request(prompt=prompt(20), sampling=unseeded)
    )


def test_embedding_blocks_stand_for_the_tokens_they_embed(phi4: Phi3) -> None:
    ids = prompt(20)
    block = phi4.embed_tokens(torch.tensor(ids[5:12])).detach()
    for n in (1, 3):
        out = run(Engine(phi4), Request(prompt=[*ids[:5], block, *ids[12:]], n=n, sampling=GREEDY))
        assert out[0, n - 1] == plain(phi4, ids, 12)


def test_samples_end_on_their_own(phi4: Phi3) -> None:
    free = run(
        Engine(phi4), Request(prompt=prompt(20), n=6, sampling=Sampling(temperature=1.5, seed=1, max_tokens=20))
    )
    stops = {free[0, 0][3], free[0, 1][7]}
    sampling = Sampling(temperature=1.5, seed=1, max_tokens=20, stop_ids=tuple(stops))
    engine, request = Engine(phi4), Request(prompt=prompt(20), n=6, sampling=sampling)
    engine.submit(request)
    tokens: dict[int, list[int]] = {i: [] for i in range(6)}
    reasons: dict[int, str] = {}
    while engine.busy:
        for event in engine.step():
            if isinstance(event, Token):
                assert event.sample not in reasons
                tokens[event.sample].append(event.id)
            else:
                reasons[event.sample] = event.reason
    for i in range(6):
        end = next((k for k, id in enumerate(free[0, i]) if id in stops), None)
        assert tokens[i] == (free[0, i] if end is None else free[0, i][: end + 1])
        assert reasons[i] == ("length" if end is None else "stop")


def test_cancel_frees_at_once_and_leaves_others_alone(phi4: Phi3) -> None:
    engine = Engine(phi4)
    doomed, other = Request(prompt=prompt(20), n=3), Request(prompt=prompt(9), sampling=GREEDY)
    engine.submit(doomed)
    engine.submit(other)
    events = engine.step() + engine.step()
    engine.cancel(doomed.id)
    assert not engine.has(doomed.id)
    while engine.busy:
        events += engine.step()
    assert [e.sample for e in events if isinstance(e, Finished) and e.request == doomed.id] == [0, 1, 2]
    assert {e.reason for e in events if isinstance(e, Finished) and e.request == doomed.id} == {"cancelled"}
    assert [e.id for e in events if isinstance(e, Token) and e.request == other.id] == plain(phi4, prompt(9), 12)


def test_more_requests_than_fit_wait_their_turn(phi4: Phi3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phiforge.engine.scheduler.MAX_SAMPLES", 4)
    out = run(Engine(phi4), *(Request(prompt=prompt(5 + i, i), n=3, sampling=GREEDY) for i in range(4)))
    for i in range(4):
        assert out[i, 2] == plain(phi4, prompt(5 + i, i), 12)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (lambda: Request(prompt=[5, 512]), "token id 512 is outside the vocabulary of 512"),
        (lambda: Request(prompt=[1, torch.zeros(3, 7)]), r"shape \(3, 7\), expected \[L, 256\]"),
        (lambda: Request(prompt=[1] * 17_000), "17000 tokens .* more than the model's context of 16384"),
        (lambda: Request(prompt=[1], sampling=Sampling(max_tokens=20_000)), "max_tokens is 20000"),
        (lambda: Request(prompt=[1], n=MAX_SAMPLES + 1), "at most 256 samples"),
        (lambda: Request(prompt=[1], sampling=Sampling(stop=("x",))), "detokenizer"),
        (lambda: Request(prompt=[1], sampling=Sampling(logprobs=513)), "logprobs is 513, the vocabulary has 512"),
        (lambda: Request(prompt=[]), "prompt is empty"),
        (lambda: Request(prompt=[1], n=0), "n must be 1 or more"),
        (lambda: Sampling(temperature=-1), "temperature must be 0 or more, not -1"),
        (lambda: Sampling(top_p=0), "top_p"),
        (lambda: Sampling(stop=("",)), "stop must be without empty strings"),
    ],
)
def test_what_cannot_run_is_refused_by_name(phi4: Phi3, request_, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Engine(phi4).submit(request_())


# --- driver ----------------------------------------------------------------------------------------------------------


def test_driver_serves_threads_and_tasks_at_once(phi4: Phi3) -> None:
    driver = Driver(Engine(phi4))
    results: dict[int, list[int]] = {}

    def ask(i: int) -> None:
        stream = driver.submit(Request(prompt=prompt(10 + i, i), sampling=GREEDY))
        results[i] = [event.id for event in stream if isinstance(event, Token)]

    async def ask_async(i: int) -> list[int]:
        stream = driver.submit(Request(prompt=prompt(10 + i, i), sampling=GREEDY))
        return [event.id async for event in stream if isinstance(event, Token)]

    async def ask_all() -> list[list[int]]:
        return list(await asyncio.gather(*(ask_async(i) for i in range(4))))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    answers = asyncio.run(ask_all())
    for thread in threads:
        thread.join()
    for i in range(4):
        assert results[i] == answers[i] == plain(phi4, prompt(10 + i, i), 12)
    driver.close()
    with pytest.raises(RuntimeError, match="closed"):
        driver.submit(Request(prompt=[1]))


def test_driver_raises_to_the_reader_it_concerns(phi4: Phi3, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(Engine(phi4))
    with pytest.raises(ValueError, match="vocabulary"):
        list(driver.submit(Request(prompt=[999_999])))
    with pytest.raises(TypeError):
        list(driver.submit(Request(prompt=["not a token"])))
    stream = driver.submit(Request(prompt=prompt(5), sampling=Sampling(max_tokens=2000)))
    next(iter(stream))
    stream.cancel()
    *_, last = stream
    assert isinstance(last, Finished)
    assert last.reason == "cancelled"

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(driver.engine, "_forward", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(driver.submit(Request(prompt=prompt(5))))
    monkeypatch.undo()
    assert [e.id for e in driver.submit(Request(prompt=prompt(5), sampling=GREEDY)) if isinstance(e, Token)] == plain(
        phi4, prompt(5), 12
    )
    driver.close()
