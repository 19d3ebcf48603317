"""MATH-500: 500 problems of MATH, those that Lightman et al. held out (arXiv:2305.20050)."""

from phiforge.evals.protocol import Generate
from phiforge.evals.task import Files, Task
from phiforge.evals.tasks.gsm8k import boxed
from phiforge.evals.tasks.math import PROTOCOLS, item

GET = "MIT, from https://github.com/openai/prm800k (math_splits/test.jsonl) or https://huggingface.co/datasets/HuggingFaceH4/MATH-500"

TASK = Task(
    data={"test": Files(folder="math500", files="*.jsonl", hub="HuggingFaceH4/MATH-500", get=GET,
                  sha256="32840b3bbf342e568309dd3052f598436e67d57e23a16621ea75207303ef5337")},
    item=item,
    protocols={
        **PROTOCOLS,
        "mini": Generate(
            words="As chat, at T = 0.6, top-p 0.95, 32,768 tokens, as the small reasoning models are measured (their "
            "card; the number of repeats is not given).",
            prompt=boxed, temperature=0.6, top_p=0.95, max_tokens=32_768, repeats=5,
        ),
    },
    published={"Phi-4-mini-reasoning": 91.2, "Phi-4-mini-flash-reasoning": 92.45},
    published_as="mini",
    source="Phi-4-mini-flash-reasoning model card",
)  # fmt: skip
