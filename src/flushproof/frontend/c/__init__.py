"""TODO c."""
