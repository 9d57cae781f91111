"""Go templates for Ollama, executed as Go's text/template does it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trivium.errors import ModelError
from trivium.export.go_syntax import FUNCTIONS, Block, Branch, Each, Let, Show, Text, Use, Value, parse

Scope = dict[str, Any]


def execute(template: str, data: Mapping[str, Any], fixed: Mapping[str, Any]) -> str:
    """What a template writes for `data`; variables in `fixed` keep that value whatever is assigned.

    Raises `ModelError` for anything that is not of the kind written here.
    """
    block, defined = parse(template)
    return "".join(_Execution(defined, fixed).run(block, {"$": data, ".": data}))


@dataclass(frozen=True)
class _Execution:
    """A run of a template, and of the blocks that it defines, which see none of the variables outside."""

    defined: Mapping[str, Block]
    fixed: Mapping[str, Any]

    def run(self, block: Block, scope: Scope) -> Iterator[str]:
        """Blocks within blocks are stacked here, since one that takes blanks away uses itself once for each of them."""
        stack = [(iter(block), scope)]
        while stack:
            nodes, scope = stack[-1]
            node = next(nodes, None)
            if node is None:
                stack.pop()
            elif isinstance(node, Text):
                yield node.text
            elif isinstance(node, Show):
                yield _text(_of(node.value, scope))
            elif isinstance(node, Let):
                self._let(node, scope)
            elif isinstance(node, Branch):
                stack.append((iter(_taken(node, scope)), scope))
            elif isinstance(node, Each):
                yield from self._each(node, scope)
            else:
                value = _of(node.value, scope)
                stack.append((iter(self._block(node)), {"$": value, ".": value}))

    def _each(self, node: Each, scope: Scope) -> Iterator[str]:
        """Variables of the block would end with it; here every round sets its own anew."""
        outer = scope["."]
        for i, item in enumerate(_of(node.value, scope)):
            scope.update({node.index: i, node.item: item, ".": item})
            yield from self.run(node.block, scope)
        scope["."] = outer

    def _block(self, node: Use) -> Block:
        if node.name not in self.defined:
            raise ModelError(f"the Ollama template uses {node.name!r}, which it never defines.")
        return self.defined[node.name]

    def _let(self, node: Let, scope: Scope) -> None:
        if not node.new and node.name not in scope:
            raise ModelError(f"the Ollama template assigns {node.name}, which it never declares.")
        scope[node.name] = self.fixed[node.name] if node.name in self.fixed else _of(node.value, scope)


def _taken(node: Branch, scope: Scope) -> Block:
    return next((then for test, then in node.cases if test is None or _of(test, scope)), ())


def _of(value: Value, scope: Scope) -> Any:
    if value.function:
        return _CALLED[value.function](*(_of(part, scope) for part in value.parts))
    if not value.names:
        return value.constant
    found: Any = scope
    for name in value.names:
        if not isinstance(found, Mapping) or name not in found:
            raise ModelError(f"the Ollama template asks for {''.join(value.names)}, which Ollama does not give it.")
        found = found[name]
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ModelError(f"the Ollama template writes {value!r}, which is no text.")
    return value


def _eq(first: Any, *others: Any) -> bool:
    return any(first == other for other in others)


def _slice(whole: Any, *ends: int) -> Any:
    return whole[slice(*ends)] if len(ends) > 1 else whole[ends[0] :]


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


def _ne(first: Any, second: Any) -> bool:
    return bool(first != second)


def _not(value: Any) -> bool:
    return not value


_CODE: tuple[Callable[..., Any], ...] = (_eq, _ne, _not, _and, _or, len, _slice)
_CALLED = dict(zip(FUNCTIONS, _CODE, strict=True))
