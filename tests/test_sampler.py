"""How tokens are chosen from logits, and how their text is let out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phiforge.engine.request import Sampling
from phiforge.engine.sampler import Row, _keep, choose, uniform
from phiforge.engine.text import Output


@settings(max_examples=60, deadline=None)
@example(seed=1, temperature=0.5, top_k=0, top_p=0.99999, min_p=0.0)
@given(
    seed=st.integers(0, 10_000), temperature=st.floats(0.3, 2), top_k=st.integers(0, 400),
    top_p=st.floats(0.05, 1), min_p=st.floats(0, 0.5),
)  # fmt: skip
def test_filters_keep_what_those_of_transformers_keep(seed, temperature, top_k, top_p, min_p) -> None:
    warpers = pytest.importorskip("transformers.generation.logits_process")
    logits = 3 * torch.randn(1, 500, generator=torch.Generator().manual_seed(seed))
    z = logits / temperature
    expected = z.clone()
    if top_k:
        expected = warpers.TopKLogitsWarper(top_k)(None, expected)
    if top_p < 1:
        expected = warpers.TopPLogitsWarper(top_p)(None, expected)
    if min_p:
        expected = warpers.MinPLogitsWarper(min_p)(None, expected)
    values, ids = z.sort(descending=True)
    kept = _keep(
        values,
        z.logsumexp(-1, keepdim=True),
        torch.tensor([[top_k or 500]]),
        torch.tensor([[top_p]]),
        torch.tensor([[min_p]]),
    )
    ours, theirs = set(ids[kept > 0].tolist()), set(torch.nonzero(expected[0].isfinite())[:, 0].tolist())
    # Cumulative sums from the two ends may round the last ones apart: one token, or several that hardly weigh.
    apart = sorted(z.softmax(-1)[0, list(ours ^ theirs)].tolist())
    assert sum(apart[:-1]) < 1e-6


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.6),
        Sampling(top_k=4),
        Sampling(top_p=0.7),
        Sampling(min_p=0.2),
        Sampling(top_k=300, top_p=0.5),
    ],
    ids=str,
)
def test_samples_follow_the_filtered_distribution(sampling: Sampling) -> None:
    logits = 2 * torch.randn(1, 600, generator=torch.Generator().manual_seed(1))
    n = 20_000
    chosen = torch.cat(
        [choose(logits.expand(500, -1), [Row(sampling, 42, i, step) for i in range(500)]) for step in range(n // 500)]
    )
    z = logits / sampling.temperature
    values, ids = z.sort(descending=True)
    kept = _keep(
        values, z.logsumexp(-1, keepdim=True), torch.tensor([[sampling.top_k or 600]]),
        torch.tensor([[sampling.top_p]]), torch.tensor([[sampling.min_p]]),
    )  # fmt: skip
    p = torch.zeros(600).scatter(0, ids[0], kept[0] / kept.sum())
    counts = torch.bincount(chosen, minlength=600).float()
    assert counts[p == 0].sum() == 0
    # Pearson's statistic over cells with enough expected draws: mean dof, standard deviation sqrt(2 dof).
    cells = p * n >= 5
    statistic = ((counts[cells] - p[cells] * n) ** 2 / (p[cells] * n)).sum()
    dof = max(int(cells.sum()) - 1, 1)
    assert statistic < dof + 5 * (2 * dof) ** 0.5


def test_a_wide_filter_reaches_past_the_candidates() -> None:
    logits = torch.zeros(1, 5000)  # flat: top-p 0.9 keeps 4500 of 5000
    chosen = choose(logits.expand(400, -1), [Row(Sampling(top_p=0.9), 1, i, 0) for i in range(400)])
    assert len(set(chosen.tolist())) > 300


def test_repetition_penalty_equals_that_of_transformers() -> None:
    processors = pytest.importorskip("transformers.generation.logits_process")
    logits = torch.randn(1, 50)
    seen = [3, 7, 11]
    sampling = Sampling(temperature=0, repetition_penalty=1.7)
    expected = processors.RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([seen]), logits.clone())
    assert int(choose(logits, [Row(sampling, 0, 0, 0, seen)])[0]) == int(expected.argmax())
    before = logits.clone()
    choose(logits, [Row(sampling, 0, 0, 0, seen)])
    assert torch.equal(before, logits)


def test_uniform_draws_are_uniform_and_unrelated() -> None:
    draws = torch.tensor([uniform(s, i, t) for s in range(10) for i in range(20) for t in range(50)])
    assert draws.min() >= 0
    assert draws.max() < 1
    assert torch.histc(draws, 10, 0, 1).sub(1000).abs().max() < 150
    assert abs(float(torch.corrcoef(torch.stack((draws[:-1], draws[1:])))[0, 1])) < 0.05


# --- text ------------------------------------------------------------------------------------------------------------


class Pieces:
    """A detokenizer whose ids index a list of strings."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces

    def feed(self, id: int) -> str:
        return self.pieces[id]

    def flush(self) -> str:
        return ""


@given(
    pieces=st.lists(st.text("ab\n", max_size=4), max_size=12),
    stop=st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
)
def test_output_ends_before_the_first_stop_string_however_it_is_cut(pieces: list[str], stop: list[str]) -> None:
    output, text = Output(Pieces(pieces), tuple(stop)), ""
    for i in range(len(pieces)):
        text += output.feed(i)
        assert not any(s in text for s in stop)
        if output.stopped:
            break
    text += output.flush()
    # The first stop string to be complete ends the text; among those complete at once, the one that begins first.
    whole, expected, seen = "".join(pieces), None, ""
    for piece in pieces:
        seen += piece
        found = [at for at in (seen.find(s) for s in stop) if at >= 0]
        if found:
            expected = seen[: min(found)]
            break
    assert text == (whole if expected is None else expected)
