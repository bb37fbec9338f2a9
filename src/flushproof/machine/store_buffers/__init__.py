"""Programs rewritten so that stores wait in a buffer of their thread."""
