"""``python -m elsewhere`` is the command ``elsewhere``."""

from elsewhere.cli import main

if __name__ == "__main__":  # looking at a module must not run it
    main()
