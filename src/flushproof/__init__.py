"""A bounded model checker for KVM's remote TLB flush on Hyper-V, reading the C itself."""

__version__ = "0.1.0"
