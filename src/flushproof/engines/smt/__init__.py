"""Terms of z3, and solvers that are asked about them."""
