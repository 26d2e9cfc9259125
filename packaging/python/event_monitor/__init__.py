"""The older tool's name for :mod:`ska_tango_event_monitor`: ``python3 -m event_monitor.py``."""
