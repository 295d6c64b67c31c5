"""`flask clever ...`"""
