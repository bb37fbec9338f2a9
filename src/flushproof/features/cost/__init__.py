"""The most hypercalls that one call can issue."""
