"""`python -m kaos` is the `kaos` command."""

from kaos.cli.main import main

main()
