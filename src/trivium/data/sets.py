"""Disjoint sets of numbers (union-find with path halving)."""


class Sets:
    """The numbers below `count`, at first each a set of its own; a set is named by its smallest number."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, number: int) -> int:
        """The name of a number's set."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make the sets of two numbers one."""
        one, other = sorted((self.find(one), self.find(other)))
        self._parent[other] = one
