"""How fast, how big, how many calls: `make bench`. The numbers of the last run are in RESULTS.md."""
