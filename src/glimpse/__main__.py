"""`python -m glimpse` is the command `glimpse`."""

from glimpse.cli.main import main

if __name__ == "__main__":
    main()
