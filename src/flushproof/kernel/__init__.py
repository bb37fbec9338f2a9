"""Kernel files as they stand in a tree: found, cut up, reduced to the flush, made a `Setup`."""
