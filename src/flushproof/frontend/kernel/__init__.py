"""Files of a kernel tree, cut down to the flush and the load, as a `Setup`."""
