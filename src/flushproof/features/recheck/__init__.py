"""Proofs from a certificate, decided anew about the program that the sources are now."""
