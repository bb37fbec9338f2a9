"""Jobs over many files, where they run, and the verdicts that are kept."""
