"""Language models that grade, with the prompts of their benchmarks: a mark (MT-Bench), or which of two (Arena-Hard)."""

import re

from phiforge.engine.request import Sampling
from phiforge.evals.log import Grade
from phiforge.lm import LanguageModel
from phiforge.records import Message, Problem


def _said(judge: LanguageModel, asked: list[list[Message]], max_tokens: int) -> list[str]:
    replies = judge.chat_many(asked, sampling=Sampling(temperature=0.0, max_tokens=max_tokens))
    return [reply.message.text for (reply,) in replies]


# --- MT-Bench: FastChat's prompts single-v1 and single-math-v1, of one turn and of two ---------------------------------

_MARK = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))
_IMPARTIAL = "Please act as an impartial judge and evaluate the quality of the response provided by an AI assistant to the user "
_RATE = (
    "Be as objective as possible. After providing your explanation, you must rate the response on a scale of 1 to 10 by "
    'strictly following this format: "[[rating]]", for example: "Rating: [[5]]".'
)
_BY_FACTORS = (
    "Your evaluation should consider factors such as the helpfulness, relevance, accuracy, depth, creativity, and level of "
    "detail of the response. "
)
_EXPLAIN = "Begin your evaluation by providing a short explanation. "
_BY_REFERENCE = (
    "Your evaluation should consider correctness and helpfulness. You will be given a reference answer and the assistant's "
    "answer. "
)
_COMPARE = (
    "Begin your evaluation by comparing the assistant's answer with the reference answer. "
    "Identify and correct any mistakes. "
)


def mark(judge: LanguageModel, problem: Problem, answers: list[str]) -> Grade:
    """The mean of the turns' marks over 10. A mark that cannot be read is an error: FastChat leaves such an answer out."""
    questions = [problem.messages[-1].text, *problem.metadata["follow_ups"]]
    reference = problem.metadata.get("reference", [])
    turns = range(1, len(answers) + 1)
    asked = [mark_asked(questions[:n], answers[:n], reference[:n]) for n in turns]
    said = _said(judge, asked, 2048)
    found = [next((m for pattern in _MARK if (m := pattern.search(text))), None) for text in said]
    marks = [float(m[1]) for m in found if m and 1 <= float(m[1]) <= 10]
    reason = "\n\n".join(f"Turn {n}: {text.strip()}" for n, text in zip(turns, said, strict=True))
    if len(marks) < len(said):
        return Grade("error", 0.0, f"the judge gave no mark from 1 to 10\n\n{reason}")
    score = sum(marks) / len(marks) / 10
    measures = {f"turn {n}": mark for n, mark in zip(turns, marks, strict=True)}
    return Grade("right" if score == 1 else "wrong", score, reason, measures=measures)


def mark_asked(questions: list[str], answers: list[str], reference: list[str]) -> list[Message]:
    """Ask for a mark of the last answer, of one or of two turns; `reference` is empty where there is none."""
    if len(answers) == 1:
        by = _BY_REFERENCE + _COMPARE if reference else _BY_FACTORS + _EXPLAIN
        known = (
            f"[The Start of Reference Answer]\n{reference[0]}\n[The End of Reference Answer]\n\n" if reference else ""
        )
        shown = f"[The Start of Assistant's Answer]\n{answers[0]}\n[The End of Assistant's Answer]"
        text = f"[Instruction]\n{_IMPARTIAL}question displayed below. {by}{_RATE}\n\n[Question]\n{questions[0]}\n\n{known}{shown}"
        return [Message("system", "You are a helpful assistant."), Message("user", text)]
    focus = "You evaluation should focus on the assistant's answer to the second "
    if reference:
        system = f"{_IMPARTIAL}question. {_BY_REFERENCE}{focus}question. {_COMPARE}{_RATE}\n\n"
    else:
        system = f"{_IMPARTIAL}question displayed below. {_BY_FACTORS}{focus}user question. {_EXPLAIN}{_RATE}\n\n"
    known = _turns("Reference Answer", "Reference answer", questions, reference) + "\n\n\n" if reference else ""
    shown = _turns("Assistant A's Conversation with User", "Assistant A", questions, answers)
    return [Message("system", system), Message("user", known + shown)]


def _turns(what: str, who: str, questions: list[str], answers: list[str]) -> str:
    said = [
        f"### User:\n{question}\n\n### {who}:\n{answer}" for question, answer in zip(questions, answers, strict=True)
    ]
    return "\n\n".join([f"<|The Start of {what}|>", *said, f"<|The End of {what}|>"])


# --- Arena-Hard ----------------------------------------------------------------------------------------------------------

_VERDICT = (re.compile(r"\[\[([AB<>=]+)\]\]"), re.compile(r"\[([AB<>=]+)\]"))
# What a verdict is worth to A, and how much it counts: a clear one as three slight ones (arena-hard-auto's show_result.py).
_WORTH = {"A>>B": (1.0, 3), "A>B": (1.0, 1), "A=B": (0.5, 1), "B>A": (0.0, 1), "B>>A": (0.0, 3)}
_WORTH |= {"B<<A": (1.0, 3), "B<A": (1.0, 1), "B=A": (0.5, 1), "A<B": (0.0, 1), "A<<B": (0.0, 3)}
_ARENA = """Please act as an impartial judge and evaluate the quality of the responses provided by two AI assistants to the user \
prompt displayed below. You will be given assistant A's answer and assistant B's answer. Your job is to evaluate which \
assistant's answer is better.

{own}When evaluating the assistants' answers, compare both assistants' answers{with_own}. You must identify and correct any \
mistakes or inaccurate information.

Then consider if the assistant's answers are helpful, relevant, and concise. Helpful means the answer correctly responds to \
the prompt or follows the instructions. Note when user prompt has any ambiguity or more than one interpretation, it is more \
helpful and appropriate to ask for clarifications or more information from the user than providing an answer based on \
assumptions. Relevant means all parts of the response closely connect or are appropriate to what is being asked. Concise means \
the response is clear and not verbose or excessive.

Then consider the creativity and novelty of the assistant's answers when needed. Finally, identify any missing important \
information in the assistants' answers that would be beneficial to include when responding to the user prompt.

After providing your explanation, you must output only one of the following choices as your final verdict with a label:

1. Assistant A is significantly better: [[A>>B]]
2. Assistant A is slightly better: [[A>B]]
3. Tie, relatively the same: [[A=B]]
4. Assistant B is slightly better: [[B>A]]
5. Assistant B is significantly better: [[B>>A]]

Example output: "My final verdict is tie: [[A=B]]"."""
_OWN = (
    "Begin your evaluation by generating your own answer to the prompt. You must provide your answers before judging any "
    "answers."
)


def compare(judge: LanguageModel, problem: Problem, answers: list[str]) -> Grade:
    """The share won of two games, the baseline's answer shown first and then last; a clear verdict counts three times."""
    prompt, own, other = problem.messages[-1].text, answers[-1], problem.answer
    asked = [
        comparison_asked(prompt, a, b, creative=problem.metadata["creative"]) for a, b in ((other, own), (own, other))
    ]
    said = _said(judge, asked, 4096)
    verdicts = [next((found[-1] for p in _VERDICT if (found := p.findall(text.upper()))), "") for text in said]
    reason = f"{verdicts[0] or '?'} as B, {verdicts[1] or '?'} as A, against {problem.metadata['baseline']}"
    shown = f"{reason}\n\n{said[0].strip()}\n\n{said[1].strip()}"
    if not all(verdict in _WORTH for verdict in verdicts):
        return Grade("error", 0.0, f"the judge gave no verdict: {shown}")
    (first, weight), (second, other_weight) = (_WORTH[verdict] for verdict in verdicts)
    won, games = (1 - first) * weight + second * other_weight, float(weight + other_weight)
    measures = {"win rate": won, "of win rate": games}
    return Grade("right" if won == games else "wrong", won / games, shown, measures=measures)


def comparison_asked(prompt: str, a: str, b: str, *, creative: bool = False) -> list[Message]:
    """Ask which of two answers is better; of creative writing (v2) the judge need not write its own first."""
    own, with_own = ("", "") if creative else (f"{_OWN}\n\n", " with your answer")
    asked = (
        f"<|User Prompt|>\n{prompt}\n\n<|The Start of Assistant A's Answer|>\n{a}\n<|The End of Assistant A's Answer|>\n\n"
        f"<|The Start of Assistant B's Answer|>\n{b}\n<|The End of Assistant B's Answer|>"
    )
    return [Message("system", _ARENA.format(own=own, with_own=with_own)), Message("user", asked)]
