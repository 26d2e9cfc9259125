"""``python3 -m ska_tango_event_monitor`` is the program ``ska-tango-event-monitor``."""

import os
import sys

from . import program_path


def main() -> None:
    """Become the monitor, with this program's arguments."""
    try:
        path = program_path()
        os.execv(path, [path, *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"ska-tango-event-monitor: {error}")


if __name__ == "__main__":
    main()
