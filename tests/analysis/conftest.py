"""Lets the tests in this folder import `spike_records`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
