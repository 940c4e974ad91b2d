"""The documents that are made from the tables, so that no number is written down twice.

A package rather than one file: the layers of the project give a place to `docgen`, not to files beside it.
"""
