"""The commands that have options of their own."""
