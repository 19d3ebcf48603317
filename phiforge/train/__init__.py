"""Training: one loop (`loop.py`), one file a stage, and what the stages share: batches, losses, optimisers."""
