"""The sandbox, driven by clients that nobody here wrote.

Our connectors and our sandbox are by the same hands: where both misread a platform, no test of ours can tell. These
clients were written by others against the real platforms. Each is driven through the calls that it offers and the
sandbox has; where one disagrees with what we know of a platform, a comment says who is right, and why.
"""
