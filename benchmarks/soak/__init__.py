"""The service in real time: `rosterd run` against `rosterd sandbox`, with people who edit, faults and kills."""
