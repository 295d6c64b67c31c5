"""Tests of the pages of your product. They belong to you: change them with your pages.

They quote no sentence, no color, and no product name, and need neither Clever nor the simulator.
"""
