"""A second solver, for questions that another one has answered."""
