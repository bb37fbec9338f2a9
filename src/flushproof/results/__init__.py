"""What was found, as frozen data that reports are made of."""
