"""Programs rewritten to simpler ones that mean the same."""
