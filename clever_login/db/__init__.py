"""SQLAlchemy engine, tables, migrations and bulk upserts."""
