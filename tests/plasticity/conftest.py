"""Lets the tests in this folder import `event_by_event` and `trains`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
