"""Prompts that are a benchmark's protocol, word for word."""

from phiforge.records import Message, Problem

# BFCL's own prompt for models without a tool format, as it builds it: the first two sentences are not spaced there either.
BFCL = """You are an expert in composing functions.You are given a question and a set of possible functions. Based on the \
question, you will need to make one or more function/tool calls to achieve the purpose. If none of the functions can be used, \
point it out. If the given question lacks the parameters required by the function, also point it out.

You should only return the function calls in your response.

If you decide to invoke any of the function(s), you MUST put it in the format of [func_name1(params_name1=params_value1, \
params_name2=params_value2...), func_name2(params)].  You SHOULD NOT include any other text in the response.

At each turn, you should try your best to complete the tasks requested by the user within the current turn. Continue to output \
functions to call until you have fulfilled the user's request to the best of your ability. Once you have no more functions to \
call, the system will consider the current turn complete and proceed to the next turn or task.

Here is a list of functions in json format that you can invoke.
{functions}
"""


def evalplus(problem: Problem) -> str:
    """EvalPlus' instruction for chat models; it also begins their answer, which chat templates don't allow."""
    asks = "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
    return f"{asks}\n```\n{problem.messages[-1].text.strip()}\n```\n"


# --- MT-Bench (FastChat's judge_prompts.jsonl) and Arena-Hard (arena-hard-auto) ----------------------------------------

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
_COMPARE = "Begin your evaluation by comparing the assistant's answer with the reference answer. Identify and correct any mistakes. "


def mt_bench(questions: list[str], answers: list[str], reference: list[str]) -> list[Message]:
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


def arena(prompt: str, a: str, b: str, *, creative: bool = False) -> list[Message]:
    """Ask which of two answers is better; of creative writing (v2) the judge need not write its own first."""
    own, with_own = ("", "") if creative else (f"{_OWN}\n\n", " with your answer")
    asked = (
        f"<|User Prompt|>\n{prompt}\n\n<|The Start of Assistant A's Answer|>\n{a}\n<|The End of Assistant A's Answer|>\n\n"
        f"<|The Start of Assistant B's Answer|>\n{b}\n<|The End of Assistant B's Answer|>"
    )
    return [Message("system", _ARENA.format(own=own, with_own=with_own)), Message("user", asked)]
