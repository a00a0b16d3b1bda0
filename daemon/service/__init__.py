"""The long run: schedule, health, alerts, and what it tells whoever watches."""
