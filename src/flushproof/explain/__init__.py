"""From an executed schedule to a trace in the reader's words."""
