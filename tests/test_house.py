"""The rules that keep the house a house: who may import whom, and no circles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stream_lstm"
PURE = {"candles", "features", "models", "forecasting", "evaluation"}
KAFKA_CLIENTS = {"aiokafka", "kafka", "confluent_kafka"}
SPEAK_KAFKA = {"kafka", "dead_letters", "streaming", "client"}
STORE_CLIENTS = {"obstore"}
EXCHANGE_CLIENTS = {"ccxt"}
IMPURE_LIBRARIES = {"asyncio", "time", "aiokafka", "obstore", "socket", "threading", "multiprocessing"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imported_by(path: Path) -> set[str]:
    """Absolute names of everything that a module imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            assert node.module
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_what_it_may(module: str) -> None:
    names = imported_by(MODULES[module])
    outside = {name.split(".")[0] for name in names}
    rooms = {room(name) for name in ours(names)} - {room(module), "", "errors"}
    if room(module) == "contracts":
        assert not rooms, f"{module} imports {rooms}: contracts import nothing of ours"
    if room(module) in PURE:
        assert not outside & IMPURE_LIBRARIES, f"{module} is pure and imports {outside & IMPURE_LIBRARIES}"
        assert rooms <= PURE | {"contracts"}, f"{module} is pure and imports {rooms}"
    if room(module) == "terminal":
        assert rooms <= {"contracts"}, f"{module} draws what it is given and imports {rooms}"
    if outside & KAFKA_CLIENTS:
        assert room(module) in SPEAK_KAFKA, f"{module} imports a Kafka client"
    if room(module) == "kafka":
        assert not rooms & (PURE | {"streaming"}), f"{module} imports {rooms}: it knows nothing of candles"
    if room(module) == "dead_letters":
        assert "streaming" not in rooms, f"{module} imports the worker"
    if room(module) == "training":
        assert not rooms & {"kafka", "streaming"}, f"{module} imports {rooms}: a training knows no stream"
    if outside & STORE_CLIENTS:
        assert room(module) == "registry", f"{module} imports an object-store client"
    if outside & EXCHANGE_CLIENTS:
        assert room(module) == "exchange", f"{module} imports an exchange's client"
    if room(module) == "exchange":
        assert rooms <= {"candles"}, f"{module} knows exchanges alone and imports {rooms}"
    if room(module) == "dashboard":
        assert "gateway" not in rooms, f"{module} knows of HTTP"
    if room(module) in {"gateway", "cli"}:
        assert not {"stream_lstm.streaming.worker"} & names or room(module) == "cli"


def test_there_are_no_import_circles() -> None:
    graph = {module: ours(imported_by(path)) - {module, "stream_lstm"} for module, path in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for target in graph[module]:
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_stays_readable_in_one_sitting(module: str) -> None:
    lines = [
        line
        for line in MODULES[module].read_text().splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    assert len(lines) <= 400, f"{module} has {len(lines)} lines: has it still one subject?"
