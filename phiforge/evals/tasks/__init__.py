"""One file a task; `phiforge.evals.task` finds them by name."""
