"""`python -m endpointd`: the same as the command `endpointd`."""

from endpointd.cli import main

if __name__ == "__main__":
    main()
