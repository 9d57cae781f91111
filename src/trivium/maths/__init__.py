"""Formulas in numpy, which every backend must reproduce."""
