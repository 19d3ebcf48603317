"""The data factory: pipelines make rows, stages refine them, verifiers prove them, curation keeps what is worth keeping."""
