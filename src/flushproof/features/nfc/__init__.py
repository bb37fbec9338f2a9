"""TODO nfc."""
