"""Windows under wine: its user, the programs on PATH, and the agent's pipe."""
