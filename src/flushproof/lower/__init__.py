"""From syntax trees to IR: typing, inlining, and one instruction for each shared access."""
