"""Patches, in mails or in git, decided before and after."""
