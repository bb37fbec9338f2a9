"""The machine: operations of a variant wrapped in events, claims as monitors, and the boot state."""
