"""What all tests share: how hard the inventing ones search.

By hand every run tries something new. In CI the same examples come each time: a change is judged by what it changed,
not by the luck of the draw; what a search finds becomes a test with a name.
"""

import os

from hypothesis import settings

settings.register_profile("search", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "search")
