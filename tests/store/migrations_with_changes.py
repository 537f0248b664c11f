"""A history of two steps more than there are, the second of which changes rows, and can be stopped in its middle."""

import shutil
from pathlib import Path

from endpointd.store.schema import HISTORY, History, Revision

THIRD = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade():
    op.add_column("endpoints", sa.Column("colour", sa.Text, server_default="grey", nullable=False))
"""

FOURTH = """
import os
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

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
    (migrations / "versions" / "third.py").write_text(THIRD)
    (migrations / "versions" / "fourth.py").write_text(FOURTH)
    return History(migrations, [*HISTORY.revisions, Revision("0003"), Revision("0004", ("endpoints",))])
