"""TODO interpreter."""
