"""How the database's schema came about: numbered SQL files, applied in order and never changed again.

Only forward, and only by adding: while a deployment runs, tasks of the version before work on the same schema, so a
file may add tables, columns that may be NULL or have a constant default, and indexes; it renames and drops nothing.
What is no longer used is dropped by a later version, when no task needs it any more. Each file is one transaction.
"""
