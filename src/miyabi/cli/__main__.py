"""`python -m miyabi.cli`."""

from miyabi.cli import main

main()
