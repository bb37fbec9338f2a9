"""Two variants compared: whether a change makes no functional difference."""
