"""What depends on what in a table: every pair of columns, or of named blocks of columns.

`mistworks.matrix` estimates them and returns a `mistworks.Matrix`, which draws, tests and lists them. pandas
is needed for all of it, matplotlib for colours, SciPy for the order of a clustered heat map: the extra
``mistworks[tables]``.
"""
