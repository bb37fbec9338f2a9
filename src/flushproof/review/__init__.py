"""Patches from mail, mailboxes, files or git, and what they do to a variant."""
