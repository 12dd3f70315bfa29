"""How an operation is declared and carried out: parameters, effects, the executor, the lock, the audit.

An operation says what it does, in a module of its own beside this package; everything that all of them share is
here. I/O over AWS's API, and the spool of the audit on disk. Nothing here imports boto3.
"""
