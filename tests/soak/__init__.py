"""Months in minutes: the service, driven by a simulated clock, among people who edit and platforms that fail.

make soak ARGS="--hours 720 --people 2000 --seed 7"
"""
