"""rosterd: one roster of people, true on every platform."""
