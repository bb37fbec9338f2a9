"""Facts about programs: control flow, held locks, representations."""
