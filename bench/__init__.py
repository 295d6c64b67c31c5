"""Measurements that anyone can run again; the folder can be deleted."""
