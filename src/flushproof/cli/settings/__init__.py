"""What is configured, in files and by the environment."""
