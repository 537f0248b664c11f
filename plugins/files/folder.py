"""The folder whose files are served."""

from pathlib import Path

PUBLIC = Path(__file__).with_name("public")
