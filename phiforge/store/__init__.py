"""Models on disk: where they live, how they come here (`pull`), and which are here (`models`)."""
