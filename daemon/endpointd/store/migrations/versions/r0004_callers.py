"""Rules for who may call an endpoint: a JSON object, empty where there are none."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("callers", sa.Text, nullable=False, server_default="{}"))
