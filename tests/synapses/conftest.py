"""Lets the tests in this folder import `exact_kinetics`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
