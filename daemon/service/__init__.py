"""The long run: `rosterd run`, what it serves, and what it says of itself."""
