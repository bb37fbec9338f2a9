"""Many files, claims and bounds: jobs for any executor, and a store of known verdicts."""
