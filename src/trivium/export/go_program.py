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
    return "".join(_Execution(defined, fixed, {"$": data, ".": data}).run(block))


@dataclass(frozen=True)
class _Execution:
    """A run of a program, or of a defined block within one, which sees none of the variables outside."""

    defined: Mapping[str, Block]
    fixed: Mapping[str, Any]
    scope: Scope

    def run(self, block: Block) -> Iterator[str]:
        for node in block:
            if isinstance(node, Text):
                yield node.text
            elif isinstance(node, Show):
                yield _text(self._of(node.value))
            elif isinstance(node, Let):
                self._let(node)
            elif isinstance(node, Branch):
                yield from self.run(next((then for test, then in node.cases if test is None or self._of(test)), ()))
            elif isinstance(node, Each):
                yield from self._each(node)
            else:
                yield from self._use(node)

    def _each(self, node: Each) -> Iterator[str]:
        """Variables of the block would end with it; here every round sets its own anew."""
        outer = self.scope["."]
        for i, item in enumerate(self._of(node.value)):
            self.scope.update({node.index: i, node.item: item, ".": item})
            yield from self.run(node.block)
        self.scope["."] = outer

    def _use(self, node: Use) -> Iterator[str]:
        if node.name not in self.defined:
            raise ModelError(f"the Ollama template uses {node.name!r}, which it never defines.")
        value = self._of(node.value)
        yield from _Execution(self.defined, self.fixed, {"$": value, ".": value}).run(self.defined[node.name])

    def _let(self, node: Let) -> None:
        if not node.new and node.name not in self.scope:
            raise ModelError(f"the Ollama template assigns {node.name}, which it never declares.")
        self.scope[node.name] = self.fixed[node.name] if node.name in self.fixed else self._of(node.value)

    def _of(self, value: Value) -> Any:
        if value.function:
            return _CALLED[value.function](*map(self._of, value.parts))
        if not value.names:
            return value.constant
        found: Any = self.scope
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


_CALLED: Mapping[str, Callable[..., Any]] = dict(zip(FUNCTIONS, (_eq, _ne, _not, _and, _or, len, _slice), strict=True))
