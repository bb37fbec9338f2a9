"""What is built on verdicts: each a package with its logic, text and JSON."""
