"""IFEval: requests with instructions that a program can check, such as lengths, formats and words (arXiv:2311.07911)."""

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Row, Scores, Task
from phiforge.records import Message, Problem

GET = (
    "CC BY 4.0, from https://github.com/google-research/google-research/tree/master/instruction_following_eval: "
    "data/input_data.jsonl"
)
_FIGURES = (
    "The headline is the share of requests of which every instruction is kept (prompt-level, strict); measure `loose` is the "
    "same by IFEval's loose reading, `instructions` the share of instructions that are kept, by both."
)


def item(row: Row, index: int) -> Problem:
    """The hub's rows name every argument of every kind, None where it is not the kind's."""
    kinds = zip(row["instruction_id_list"], row["kwargs"], strict=True)
    return Problem(
        id=f"ifeval/{row['key']}",
        messages=[Message("user", row["prompt"])],
        verifier="instructions",
        verifier_args={
            "constraints": [{"kind": kind} | {k: v for k, v in args.items() if v is not None} for kind, args in kinds],
            "figures": True,
        },
    )


TASK = Task(
    data={
        "test": Files(folder="ifeval", files="input_data.jsonl", hub="google/IFEval", split="train", get=GET,
                      sha256="67ffeee0fcb87c317c5b08a2de85557b4a7e96ada6178aa645b4954fe4b53d49"),
    },
    item=item,
    protocols={
        "chat": Generate(words=f"The request as it is, greedy. {_FIGURES}"),
        "phi4": Generate(words=f"The request as it is, T = 0.5 (the report does not say which of the four figures). {_FIGURES}",
                         temperature=0.5),
        "reasoning": Generate(words=f"The request as it is, T = 0.8, top-p 0.95, 5 repeats (the reasoning report). {_FIGURES}",
                              temperature=0.8, top_p=0.95, max_tokens=31_744, repeats=5),
    },
    published={"Phi-4": 63.0, "GPT-4o-mini": 80.0, "Qwen-2.5-14B": 78.7, "Llama-3.3-70B": 89.3},
    published_as="phi4",
    source="Phi-4 Technical Report, arXiv:2412.08905, Table 1",
    also_published=[
        Scores(scores={"Phi-4-reasoning": 83.4, "Phi-4-reasoning-plus": 84.9, "Phi-4": 62.3, "GPT-4o": 81.8},
               protocol="reasoning", source="Phi-4-reasoning Technical Report, arXiv:2504.21318"),
    ],
)  # fmt: skip
