"""Two variants under the same operations and hypercall outcomes: one program, one verdict."""
