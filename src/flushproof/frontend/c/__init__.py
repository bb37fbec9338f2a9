"""C: preprocessed, parsed with lark, and resolved to typed trees."""
