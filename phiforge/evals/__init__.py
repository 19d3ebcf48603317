"""Benchmarks: tasks as data, protocol and grader; every run leaves a log that describes itself."""
