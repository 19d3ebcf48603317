"""Many samples, one answer: the plurality of those that are verified to be equal."""

from __future__ import annotations

from typing import Any

from phiforge.lm.base import Reply
from phiforge.verify.math import cluster, extract_answer


def vote(replies: list[Reply]) -> tuple[Reply, dict[str, Any]]:
    """A reply that gave the answer of most, or the first where none gave any, and the tally. Takes its time: the answers
    are compared as mathematics."""
    answers = [extract_answer(reply.message.text) if reply.thought_closed else None for reply in replies]
    groups = cluster(answers)
    winner = replies[groups[0].members[0]] if groups else replies[0]
    return winner, {
        "k": len(replies),
        "answer": groups[0].answer if groups else None,
        "tally": [
            {"answer": group.answer, "votes": len(group.members), "samples": list(group.members)} for group in groups
        ],
        "without_answer": answers.count(None),
    }
