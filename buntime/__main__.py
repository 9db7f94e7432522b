"""``python -m buntime``."""

import sys

from buntime.cli import main

sys.exit(main())
