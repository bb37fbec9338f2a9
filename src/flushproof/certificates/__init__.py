"""Certificates: files that prove claims anew, what stands in them, and how they are read back."""
