"""Migrations of the database, as revisions of Alembic."""
