"""The long run: what is due, who does it, and how it is watched and ended."""
