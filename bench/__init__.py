"""Measures: Sigma's own speed beside the limit of the same statements on the same database in the
same run.
"""
