"""A counterexample as a C program that stands by itself, driven step by step."""
