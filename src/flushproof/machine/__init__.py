"""The machine: a variant's operations wrapped in events, claims as monitors, the boot state."""
