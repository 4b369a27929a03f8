import subprocess
import sys

from alembic.script import ScriptDirectory
from ringback_sink.store.postgres.migrate import alembic_config
from ringback_sink.store.postgres.schema import REVISION


def test_the_release_needs_the_newest_revision() -> None:
    """The constant names the one head of the revisions that ship with it."""
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [REVISION]


def test_the_stores_process_does_not_load_the_migration_tools() -> None:
    """SQLAlchemy and Alembic are the migration's alone; the store starts without their weight."""
    loaded = "import sys, ringback_sink.store.app; print({'sqlalchemy', 'alembic'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
