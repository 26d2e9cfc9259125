"""``python3 -m event_monitor.py DEVICE...``, as the older tool was started."""

from ska_tango_event_monitor.__main__ import main

if __name__ == "__main__":
    main()
