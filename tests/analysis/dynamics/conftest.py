"""Lets the tests in this folder import `small_circuits`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
