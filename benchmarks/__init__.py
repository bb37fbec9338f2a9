"""Timings of the engines; `benchmarks/bounded.py` prints them."""
