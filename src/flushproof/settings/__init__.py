"""What is configured, layer by layer: the project's file, a spec, the command line."""
