"""ARC-Easy: school science questions, those that simple methods answer (Clark et al., arXiv:1803.05457)."""

from phiforge.evals.task import Files, Task
from phiforge.evals.tasks.arc_challenge import GET, PROTOCOLS, item

TASK = Task(
    data={
        "test": Files(folder="arc/ARC-Easy", files="*Test.jsonl", hub="allenai/ai2_arc", config="ARC-Easy", get=GET)
    },
    item=item,
    protocols=PROTOCOLS,
)
