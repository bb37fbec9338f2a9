"""What everything rests on: records, sources, diagnostics, files, processes."""
