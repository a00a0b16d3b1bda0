"""The sync: what was read becomes what is owed, and what is owed is sent. `cycle.py` is the table of contents."""
