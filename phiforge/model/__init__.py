"""The networks: one file per architecture, their configurations, and their checkpoints in and out."""
