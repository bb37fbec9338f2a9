"""Claims decided: the engines in order, each answer checked."""
