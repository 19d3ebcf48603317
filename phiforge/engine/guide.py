"""What a sample may say next: a thought with a budget, and after it an answer that follows a grammar.

A `Guide` belongs to one sample; the engine asks it for a mask before each token and tells it the token. With a grammar
and no `Thinking`, the grammar applies from the first token. With `Thinking` it applies after the thought:

- Before the thought, the opening tag, up to `GAP` blanks, and the grammar's own beginning are possible: the model thinks
  first, or answers at once. It answers at once where it would not have thought without the grammar (`begin`).
- Inside, everything is allowed but what ends the sample, since the answer is still to come, and tokens that would run
  the closing tag into something that is not blank, since that must follow the grammar.
- After the thought, up to `GAP` blanks may come before the grammar begins: models write line ends there. A blank that
  the grammar itself can take is the grammar's.

Within the grammar, tokens that stop the sample are allowed exactly where the text may end, and other special tokens
never, unless a Lark grammar names them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from phiforge.engine.grammar import BLANK, Grammar, Grammars
from phiforge.engine.thinking import Thinking, Thought

if TYPE_CHECKING:
    from llguidance import LLExecutor, LLMatcher

    from phiforge.engine.request import Sampling

__all__ = ["Grammar", "Grammars", "Guide", "Thinking", "masks"]

GAP = 4  # blanks between a thought and its answer
_ALL = np.uint32(0xFFFFFFFF)


class Guide:
    """The state of one sample. `grammars` may be None where there is no grammar; the tags of a thought are then found by
    their ids alone.

    Raises ValueError for a grammar that does not compile (see `Grammars.compile`).
    """

    def __init__(
        self, sampling: Sampling, grammars: Grammars | None, stop_ids: Iterable[int], vocab_size: int
    ) -> None:
        self.grammar = sampling.grammar
        self.thinking = sampling.thinking
        if self.grammar is not None and grammars is None:
            raise ValueError(f"a {self.grammar.kind} grammar needs an engine that knows its tokens' bytes")
        if grammars is not None and grammars.vocab_size != vocab_size:
            raise ValueError(f"grammars are for {grammars.vocab_size} tokens, and the model has {vocab_size}")
        self.words = (vocab_size + 31) // 32
        self._grammars = grammars
        self._stop_ids = tuple(id for id in stop_ids if 0 <= id < vocab_size)
        self._compiled = grammars.compile(self.grammar) if grammars and self.grammar else None
        self._matcher = self._compiled.deep_copy() if self._compiled else None
        self._answering = False  # the grammar has taken a token
        self._refused = False  # the text so far can only become an opening tag
        self._problem = ""  # why the grammar gave up while a mask was made
        self._thought: Thought | None = None
        if self.thinking is not None:
            text_of = grammars.text_of if grammars else chr  # a character a token does as well
            self._thought = Thought(self.thinking, text_of, once=self.grammar is not None)

    def fork(self) -> Guide:
        """An independent copy, for another sample that starts from here."""
        other = object.__new__(Guide)
        other.__dict__.update(self.__dict__)
        other._matcher = self._matcher.deep_copy() if self._matcher else None
        other._thought = self._thought.copy() if self._thought else None
        return other

    def replay(self, tokens: Iterable[int]) -> None:
        """Accept tokens that were chosen before."""
        for id in tokens:
            self.accept(id)

    def ahead(self, draft: Sequence[int]) -> list[Guide]:
        """Guides for the positions that a draft reaches: this one, and one after each of its tokens as far as they are
        allowed. `masks` of them judges the draft in one pass."""
        guides: list[Guide] = [self]
        for id in draft:
            guide = guides[-1].fork()
            try:
                guide.accept(id)
            except ValueError:
                break
            if guide.finished:
                break
            guides.append(guide)
        return guides

    @property
    def finished(self) -> bool:
        """The grammar is complete, and nothing but a stop can follow."""
        if self._matcher is None or not self._answering:
            return False
        undecided = self._thought is not None and bool(self._thought.tail)
        return not undecided and self._matcher.is_stopped() and not self._matcher.is_error()

    @property
    def thought_tokens(self) -> int:
        """Tokens of the thought so far, without its tags."""
        return self._thought.tokens if self._thought else 0

    @property
    def closed_by_force(self) -> bool:
        """Whether a limit closed the thought."""
        return self._thought is not None and self._thought.closed_by_force

    @property
    def may_think(self) -> bool:
        """Whether nothing has been said yet, and either a thought or the grammar may begin."""
        thought = self._thought
        return self._matcher is not None and thought is not None and thought.phase == "before" and not thought.tail

    def begin(self, likeliest: int) -> None:
        """Give up the thought if the token that is likeliest without the grammar would neither open it nor be a blank: else
        the tag is taken for being likelier than the grammar's beginning, which the model may not have been told of."""
        thought = self._thought
        assert thought is not None
        assert self._grammars is not None
        text = self._grammars.text_of(likeliest).lstrip(BLANK)
        if text and not text.startswith(thought.opening) and not thought.opening.startswith(text):
            thought.phase = "answer"

    def mask(self) -> Tensor | None:
        """Which ids may come next: int32 [ceil(vocab_size / 32)], bit i of word w for id 32w + i. None: any."""
        found = masks([self])
        return None if found is None else found[0]

    def accept(self, id: int) -> None:
        """Take the token that was chosen.

        Raises ValueError for one that the grammar does not allow, and when the grammar has become too complex.
        """
        if self._problem:
            raise ValueError(self._problem)
        if id in self._stop_ids:
            return
        thought = self._thought
        if thought is None or thought.phase == "answer":
            self._follow(id)
            return
        was_inside = thought.phase == "inside"
        thought.feed(id)
        if self._compiled is None or self._matcher is None:
            return
        if thought.phase == "inside":
            if self._answering or self._refused:
                self._matcher, self._answering, self._refused = self._compiled.deep_copy(), False, False
        elif was_inside:
            if thought.phase == "answer":
                raise ValueError(f"token {id} closes the thought and goes on with more than blanks")
        elif not self._refused and self._matcher.try_consume_tokens([id]) == 1:
            self._answering = True
        elif thought.tail:  # the text is on its way to a thought, and the grammar is not
            self._refused = True
        elif self._answering or thought.phase == "answer":
            self._follow(id)

    def _follow(self, id: int) -> None:
        if self._matcher is None:
            return
        self._answering = True
        if not self._matcher.consume_token(id):
            raise ValueError(self._gave_up())

    def _gave_up(self) -> str:
        assert self._matcher is not None
        assert self._grammars is not None
        assert self.grammar is not None
        reason = self._matcher.get_error().partition("\n")[0][:200]
        if "doesn't satisfy" in reason:  # a token that the mask excludes
            return f"the {self.grammar.kind} grammar does not allow this: {reason}"
        self._grammars.forget(self.grammar)
        return f"the {self.grammar.kind} grammar gave up: {reason}"

    # --- masks -----------------------------------------------------------------------------------------------------

    def _plan(self) -> np.ndarray | LLMatcher | None:
        """None where everything is allowed, the row where no grammar is needed to say what is, else who says it."""
        thought = self._thought
        if self._problem:
            return ~_bits(self.words, self._stop_ids)
        if thought is not None and thought.forced:
            return _bits(self.words, (thought.forced[0],))
        if thought is not None and thought.phase == "inside" and self._matcher is not None:
            assert self._grammars is not None
            closing = thought.closing
            row = ~_bits(self.words, self._stop_ids) & ~self._grammars.past(closing)
            if thought.tail and closing.startswith(thought.tail):
                row &= ~self._grammars.beyond(closing[len(thought.tail) :])
            return row
        if self._matcher is None:
            if thought is None or thought.phase != "after" or not thought.quote or not thought.closed_by_force:
                return None
            return ~self._grammars.towards(thought.quote) if self._grammars else None
        return self._thoughts() if self._refused else self._matcher

    def _finish(self, row: np.ndarray) -> None:
        """Turn the row that the grammar filled into the sample's."""
        grammars, thought = self._grammars, self._thought
        assert grammars is not None
        assert self._matcher is not None
        if self._matcher.is_error():
            self._problem = self._gave_up()
            row[:] = ~_bits(self.words, self._stop_ids)  # any token but a stop, which would look like a good end
            return
        may_end = _has(row, grammars.end)
        was = [id for id in self._stop_ids if id not in grammars.specials and _has(row, id)]
        row &= ~_bits(self.words, (grammars.end, *self._stop_ids))
        if may_end:
            row |= _bits(self.words, self._stop_ids)
        if thought is not None and thought.phase in ("before", "after"):
            if not self._answering and thought.blanks < GAP:
                row |= grammars.blanks(GAP - thought.blanks)
            if thought.quote and thought.closed_by_force:
                row &= ~grammars.towards(thought.quote)  # it would make the forced tag a quotation
            row |= self._thoughts()
        if was and not row.any():
            row |= _bits(self.words, tuple(was))  # the text can go on only with what stops the sample

    def _thoughts(self) -> np.ndarray:
        """Tokens that open a thought, or take up again one that seemed closed; as far as they do."""
        thought, thinking = self._thought, self.thinking
        assert self._grammars is not None
        assert thought is not None
        assert thinking is not None
        if not thought.onwards:
            return _bits(self.words, ())
        if len(thinking.open) == 1 and thought.onwards == thought.opening:
            return _bits(self.words, thinking.open)
        return self._grammars.towards(thought.onwards)


def masks(guides: Sequence[Guide | None], device: torch.device | str = "cpu") -> Tensor | None:
    """Masks of many samples, int32 [len(guides), ceil(vocab_size / 32)], all ones for those that may say anything; None
    when all may. Grammars work side by side, without the interpreter's lock."""
    plans = [guide._plan() if guide is not None else None for guide in guides]
    words = next((guide.words for guide, plan in zip(guides, plans, strict=True) if guide and plan is not None), None)
    if words is None:
        return None
    out = torch.empty(len(guides), words, dtype=torch.int32)
    rows = out.numpy().view(np.uint32)
    jobs: list[tuple[LLMatcher, int]] = []
    for i, plan in enumerate(plans):
        if plan is None:
            rows[i] = _ALL
        elif isinstance(plan, np.ndarray):
            rows[i] = plan
        else:
            jobs.append((plan, i))
    if jobs:
        _executor(torch.get_num_threads()).unsafe_compute_mask_ptr(jobs, out.data_ptr(), words * 4, len(guides))
        for _, i in jobs:
            guide = guides[i]
            assert guide is not None
            guide._finish(rows[i])
    return out.to(device)


@functools.cache
def _executor(threads: int) -> LLExecutor:
    from llguidance import LLExecutor

    return LLExecutor(threads)


@functools.lru_cache(maxsize=256)
def _bits(words: int, ids: tuple[int, ...]) -> np.ndarray:
    row = np.zeros(words, np.uint32)
    for id in ids:
        row[id >> 5] |= np.uint32(1 << (id & 31))
    return row


def _has(row: np.ndarray, id: int) -> bool:
    return bool(row[id >> 5] >> np.uint32(id & 31) & 1)
