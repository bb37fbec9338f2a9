"""The file's own text, compiled by gcc, beside the interpreter."""
