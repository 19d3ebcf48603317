"""From a sample's tokens to the text it lets out: nothing that may still turn into a stop string leaves early."""

from __future__ import annotations

from typing import Protocol


class Detokenizer(Protocol):
    """Streaming decoder of one sample; it holds back bytes that are not yet a character."""

    def feed(self, id: int, /) -> str: ...

    def flush(self) -> str: ...


class Output:
    """Text of one sample, cut before the first stop string."""

    def __init__(self, detokenizer: Detokenizer | None, stop: tuple[str, ...]) -> None:
        self._detokenizer = detokenizer
        self._stop = stop
        self._held = ""
        self.stopped = False

    def feed(self, id: int) -> str:
        """The text that this token lets out. Sets `stopped` when a stop string is complete."""
        if self._detokenizer is None:
            return ""
        return self._release(self._detokenizer.feed(id))

    def flush(self) -> str:
        """What is still held back, at the end of the sample."""
        if self._detokenizer is None or self.stopped:
            return ""
        text = self._release(self._detokenizer.flush())
        held, self._held = self._held, ""
        return text if self.stopped else text + held

    def _release(self, text: str) -> str:
        if not self._stop:
            return text
        text = self._held + text
        found = [at for at in (text.find(s) for s in self._stop) if at >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        # Hold the longest end of the text that begins a stop string.
        hold = max((n for s in self._stop for n in range(1, len(s)) if text.endswith(s[:n])), default=0)
        self._held = text[len(text) - hold :]
        return text[: len(text) - hold]
