"""What rosterd remembers: the one door to the local database is `state.store.Store`."""
