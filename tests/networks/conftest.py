"""Lets the tests in this folder import `looped_network`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
