"""One file a pipeline, `<family>/<name>.py`, each with its `PIPELINE`; `phiforge.data.pipeline` finds them."""
