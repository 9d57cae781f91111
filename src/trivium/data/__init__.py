"""From files, or a generated world, to scored, balanced and split samples."""
