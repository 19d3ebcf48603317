"""Deduction: from what is said to what must be."""
