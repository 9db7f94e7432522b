"""``python -m buntime``."""

import sys

from buntime.cli.main import main

sys.exit(main())
