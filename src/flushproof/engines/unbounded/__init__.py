"""The unbounded engine: constrained Horn clauses, decided by Spacer, for any number of vCPUs."""
