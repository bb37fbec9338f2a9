"""Store buffers as a rewriting of programs: x86's memory model without a change to any engine."""
