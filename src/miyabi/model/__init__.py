"""Nouns: frozen dataclasses and the error tree.

Standard library only, no I/O, no clock. Every other package may import this one.
"""
