"""`python -m neurojax` is the command `neurojax`."""

import sys

from neurojax.cli.main import main

sys.exit(main())
