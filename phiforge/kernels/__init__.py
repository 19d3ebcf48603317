"""Products, attention and candidate selection for CPUs: C++ where there was a compiler, torch where there was none."""
