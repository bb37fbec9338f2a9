"""Decision procedures over a program: the interpreter, and the symbolic engines."""
