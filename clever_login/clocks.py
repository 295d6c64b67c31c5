"""How far the clocks of two machines may differ: the app's machines, Clever's, the database's."""

MAY_DIFFER_SECONDS = 120
