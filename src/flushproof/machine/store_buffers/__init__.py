"""TODO store_buffers."""
