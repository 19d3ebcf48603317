"""Where a sample's thought begins and ends, and when it has been long enough.

Tags are found in text, not in ids: a model may cut `</think>` into tokens as it likes, or run it into the line end that
follows. The rules are those of `chat/parse.py`, so that what the guide takes for the answer is what a reader will see:
a thought opens where nothing but blanks has been said, a tag between matching quotes is a quotation, an opening tag
inside a thought takes one closing tag more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from phiforge.engine.grammar import BLANK

# Quotes and what closes them, as UTF-8 with a character a byte.
_QUOTES = tuple(
    (a.encode().decode("latin-1"), b.encode().decode("latin-1")) for a, b in ('""', "''", "``", "“”", "‘’")
)
_NEAR = 64  # of the latest tokens, how many may make up a closing tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """A thought before the answer. `open` and `close` are the ids that the tags encode to; `begun` says that the prompt
    has opened the thought already (then `open` may be empty, and only matters for thoughts within the thought).

    `soft` and `hard` limit the tokens between the tags. At `hard` the closing tag is forced at once; from `soft` on it is
    forced after the next token of `breaks` (ids that end a line or a paragraph). Without limits the thought is only
    tracked, for a grammar to apply after it. A limit of 0 closes a thought as soon as it opens.
    """

    open: tuple[int, ...] = ()
    close: tuple[int, ...]
    begun: bool = False
    soft: int | None = None
    hard: int | None = None
    breaks: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not self.close:
            raise ValueError("thinking needs the ids of the tag that closes a thought, and `close` is empty")
        if not self.open and not self.begun:
            raise ValueError("thinking needs the ids of the tag that opens a thought, or a prompt that has opened it")
        for name, limit in (("soft", self.soft), ("hard", self.hard)):
            if limit is not None and limit < 0:
                raise ValueError(f"the {name} limit of a thought must be 0 or more, not {limit}")
        if self.soft is not None and not self.breaks:
            raise ValueError(f"the soft limit {self.soft} closes a thought after one of `breaks`, and there are none")


class Thought:
    """The state of one sample's thinking. `text_of` gives a token as a string, a character a byte.

    Attributes: `phase` ("before" anything but blanks was said, "inside", "after" the thought with nothing but blanks
    said since, or in the "answer"), `tokens` (of all thoughts, without the tags), `forced` (ids that must come next),
    `closed_by_force`, `blanks` (characters of white space said before or after the thought), `quote` (the thought ended
    in an opening quote and its tag: if the next token begins with this, the tag was quoted and the thought goes on).
    """

    def __init__(self, thinking: Thinking, text_of: Callable[[int], str], *, once: bool) -> None:
        """`once`: the answer must follow the first thought; otherwise it may open again, on the same budget."""
        self.thinking = thinking
        self.phase: Literal["before", "inside", "after", "answer"] = "inside" if thinking.begun else "before"
        self.tokens = 0
        self.forced: list[int] = []
        self.closed_by_force = False
        self.blanks = 0
        self.quote = ""
        self.tail = ""  # the end of the text, as far as it may still become a tag
        self.opening = "".join(map(text_of, thinking.open))
        self.closing = "".join(map(text_of, thinking.close))
        self._text_of = text_of
        self._once = once
        self._before = ""  # the last characters before `tail`
        self._depth = int(thinking.begun)
        self._ending = False  # a limit was reached
        self._recent: deque[tuple[int, bool]] = deque(maxlen=_NEAR)  # characters of tokens, and whether they count
        self._in_tag = 0  # counted tokens that the closing tag took back
        self._limit(None)

    def copy(self) -> Thought:
        other = object.__new__(Thought)
        other.__dict__.update(self.__dict__)
        other._recent = self._recent.copy()
        return other

    @property
    def may_open(self) -> bool:
        """Whether a thought can begin here."""
        return bool(self.opening) and (self.phase == "before" or (self.phase == "after" and not self._once))

    def feed(self, id: int) -> None:
        """Take the next token."""
        text = self._text_of(id)
        if self.phase == "inside":
            forced = bool(self.forced) and self.forced[0] == id
            self.forced = self.forced[1:] if forced else []
            self.tokens += not forced
            self._recent.append((len(text), not forced))
            self._inside(text)
            self._limit(id)
        elif self.phase != "answer":
            self._outside(text)
            self._limit(id)

    def _outside(self, text: str) -> None:
        self.tail += text
        if self.quote and not self.closed_by_force and self.quote.startswith(self.tail[: len(self.quote)]):
            # The quote closes, or is on its way to: these tokens and the tag may all be the thought's.
            self._recent.append((len(text), True))
            self._in_tag += 1
            if self.tail.startswith(self.quote):
                self.phase, self._depth, self._before = "inside", 1, ""
                self.tokens += self._in_tag
                text, self.tail, self.quote = self.tail, "", ""
                self._inside(text)
            return
        self.quote = ""
        said = self.tail.lstrip(BLANK)
        self.blanks += len(self.tail) - len(said)
        self.tail = said
        if self.may_open and said.startswith(self.opening):
            self.phase, self._depth, self._ending, self.tail, self._before = "inside", 1, False, "", ""
            self._recent.clear()
            self._inside(said[len(self.opening) :])
        elif said and not (self.may_open and self.opening.startswith(said)):
            self.phase, self.tail = "answer", ""

    @property
    def onwards(self) -> str:
        """Outside a thought, what the text may go on with to be in one: the rest of the opening tag, or of the quote
        that makes the closing tag a quotation."""
        if self.quote:
            return "" if self.closed_by_force else self.quote[len(self.tail) :]
        return self.opening[len(self.tail) :] if self.may_open else ""

    def _inside(self, text: str) -> None:
        self.tail += text
        if self.closing[0] not in self.tail and (not self.opening or self.opening[0] not in self.tail):
            self._pass(len(self.tail))  # no tag begins here: nearly always
            return
        while True:
            found = [(at, tag) for tag in (self.opening, self.closing) if tag and (at := self.tail.find(tag)) >= 0]
            if not found:
                longest = max(len(self.opening), len(self.closing)) - 1
                ends = (self.tail[-n:] for n in range(min(longest, len(self.tail)), 0, -1))
                keep = next((e for e in ends if self.opening.startswith(e) or self.closing.startswith(e)), "")
                self._pass(len(self.tail) - len(keep))
                return
            at, tag = min(found)
            self._pass(at)
            rest = self.tail[len(tag) :]
            quote = next((b for a, b in _QUOTES if self._before.endswith(a)), "")
            last = tag == self.closing and self._depth == 1
            if quote and rest.startswith(quote) and not self._ending:
                self._pass(len(tag))
            elif quote and not rest and not last and not self._ending:
                return  # the next character decides
            elif not last:
                self._depth += 1 if tag == self.opening else -1
                self._pass(len(tag))
            else:
                self._close(rest, quote)
                return

    def _pass(self, length: int) -> None:
        self._before = (self._before + self.tail[:length])[-3:]
        self.tail = self.tail[length:]

    def _close(self, rest: str, quote: str) -> None:
        span, self._in_tag = len(self.closing) + len(rest), 0
        for length, counts in reversed(self._recent):
            span -= length
            if span < 0:
                break
            self._in_tag += counts
        self.tokens -= self._in_tag
        self.closed_by_force |= self._ending
        self.phase, self._depth, self.tail, self.forced = "after", 0, "", []
        if rest:
            self._outside(rest)
        else:
            self.quote = quote

    def _limit(self, id: int | None) -> None:
        """Once a limit is reached, force the closing tag, from where the text is already on its way to it."""
        if self.phase != "inside" or self.forced:
            return
        thinking = self.thinking
        self._ending |= thinking.hard is not None and self.tokens >= thinking.hard
        self._ending |= thinking.soft is not None and self.tokens >= thinking.soft and id in thinking.breaks
        if self._ending:
            begun = [
                n
                for n in range(1, len(thinking.close))
                if "".join(map(self._text_of, thinking.close[:n])) == self.tail
            ]
            self.forced = list(thinking.close[max(begun, default=0) :])
