"""The command line: arguments, settings, the terminal, and one module a command."""
