"""What a call costs: the most hypercalls that it can issue, found as claims are decided."""
