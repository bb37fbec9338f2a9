"""Saved traces read back, stepped through, and tried in other variants."""
