"""The long run: what keeps `rosterd run` going for months, and what it tells those who watch it."""
