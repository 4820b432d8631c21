"""`python -m synthreal`."""

import sys

from synthreal.cli import main

sys.exit(main())
