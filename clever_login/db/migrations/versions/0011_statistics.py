"""Add a function with which a role that does not own the tables updates their statistics.

PostgreSQL lets only the owner run ANALYZE, and skips the tables of others with a warning.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# It runs with the rights of the owner, so it takes no argument, and finds only the library's tables
# in its own schema, whatever the search_path of the caller is.
CREATE = """
CREATE FUNCTION clever_update_statistics() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
  name text;
BEGIN
  FOR name IN
    SELECT oid::regclass FROM pg_class
    WHERE relkind = 'r' AND relnamespace = {schema}::regnamespace
      AND starts_with(relname, 'clever_')
    ORDER BY relname
  LOOP
    EXECUTE 'ANALYZE ' || name;
  END LOOP;
END
$function$
"""


def upgrade() -> None:
    """Apply this migration. A SQLite file has no owner and no such statistics."""
    database = op.get_bind()
    if database.dialect.name == "postgresql":
        schema = database.exec_driver_sql("SELECT quote_literal(quote_ident(current_schema()))")
        database.exec_driver_sql(CREATE.format(schema=schema.scalar_one()))


def downgrade() -> None:
    """Undo this migration."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION clever_update_statistics()")
