"""`python -m workflow_sdk.cli` is `workflow-worker`."""

import sys

from workflow_sdk.cli import main

sys.exit(main())
