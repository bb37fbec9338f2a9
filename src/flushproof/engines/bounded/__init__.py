"""The bounded engine: one formula for a number of vCPUs, met where a claim fails."""
