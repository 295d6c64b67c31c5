"""The people of a school, kept: accounts and rosters.

To go without, delete this folder and its line in app.py.
"""
