"""Properties are about values, not about how busy the machine is: no deadline for one example, and not too many."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("rosterd", deadline=None, max_examples=60)
settings.load_profile("rosterd")
