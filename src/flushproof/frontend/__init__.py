"""From C text to a typed tree: preprocessing, parsing, name and type checking."""
