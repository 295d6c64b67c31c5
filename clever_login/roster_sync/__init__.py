"""Keeps people, sections and enrollments as Clever shares them."""
