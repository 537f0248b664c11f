"""A history of two steps more than there are, the second of which changes rows, and can be stopped in its middle."""

import shutil
from pathlib import Path

from endpointd.store.schema import HISTORY, History, Revision

NOW = HISTORY.revisions[-1].id
SECOND_ID, THIRD_ID = "9002", "9003"

SECOND = f"""
import sqlalchemy as sa
from alembic import op

revision = "{SECOND_ID}"
down_revision = "{NOW}"

def upgrade():
    op.add_column("endpoints", sa.Column("colour", sa.Text, server_default="grey", nullable=False))
"""

THIRD = f"""
import os
import sqlalchemy as sa
from alembic import op

revision = "{THIRD_ID}"
down_revision = "{SECOND_ID}"

def upgrade():
    op.execute("UPDATE endpoints SET colour = 'red'")
    if "TOLD" in os.environ:
        os.write(int(os.environ["TOLD"]), b"!")
        os.read(int(os.environ["HELD"]), 1)
    op.execute("UPDATE endpoints SET name = 'changed'")
    op.create_table("another", sa.Column("id", sa.Integer, primary_key=True))
"""


def make(folder: Path) -> History:
    migrations = folder / "migrations"
    shutil.copytree(HISTORY.folder, migrations)
    (migrations / "versions" / "second.py").write_text(SECOND)
    (migrations / "versions" / "third.py").write_text(THIRD)
    return History(migrations, [*HISTORY.revisions, Revision(SECOND_ID), Revision(THIRD_ID, ("endpoints",))])
