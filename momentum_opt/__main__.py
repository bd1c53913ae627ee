"""`python -m momentum_opt` is the command `momentum-opt`."""

from momentum_opt.cli.app import main

if __name__ == "__main__":
    main()
