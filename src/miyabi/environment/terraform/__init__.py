"""Terraform: which program, with which providers, run how, and what it said.

Starts programs and reads and writes their files; speaks to no cloud itself.
"""
