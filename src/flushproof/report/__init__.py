"""Verdicts and diagnostics as text and JSON: pure functions that decide nothing."""
