"""Where settings come from, who wins, and what is said about a wrong one."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from reprlib import repr as short
from typing import Any, Final, NamedTuple, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stream_lstm.errors import SettingsError
from stream_lstm.settings.description import FIELDS, is_secret, meaning
from stream_lstm.settings.inputs import Input
from stream_lstm.settings.section import Conflict
from stream_lstm.settings.tree import Settings

PREFIX: Final = "STREAM_LSTM_"
"""What the name of every environment variable of ours begins with."""

_VARIABLES: Final = {PREFIX + name.upper().replace(".", "__"): name for name in FIELDS}
_SECTIONS: Final = {name[:at] for name in FIELDS for at, sign in enumerate(name) if sign == "."}
_STATIC_SESSION: Final = "30s"
# A Kubernetes service called stream-lstm-… puts these into every pod of its namespace.
_SERVICE_LINK: Final = re.compile(r"(.+_)?(SERVICE_(HOST|PORT(_.+)?)|PORT_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)")
_USER: Final = re.compile(r"//[^/@]*@")
_LINK_URL: Final = re.compile(r"(tcp|udp|sctp)://")


class Told(NamedTuple):
    """A value and who said it."""

    value: Any
    source: str


def load(config: Path | None, overrides: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings: defaults < the TOML file `config` < `environ` < `overrides` (`KEY=VALUE`).

    Lists in variables and overrides are JSON; an empty text unsets what may be unset. Raises
    `SettingsError`, which names each wrong setting, its value, its source and the way out.
    """
    told = {
        **(_of_file(config) if config is not None else {}),
        **_of_environment(environ),
        **_of_overrides(overrides),
    }
    if told.get("worker.instance", Told(None, "")).value and "kafka.session_timeout" not in told:
        told["kafka.session_timeout"] = Told(_STATIC_SESSION, "default with worker.instance")
    sources = {name: source for name, (_, source) in told.items()}
    try:
        return Settings.model_validate(_nested(told), context=sources)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise SettingsError("\n".join(_explained(each, told) for each in details)) from None


def _of_file(path: Path) -> dict[str, Told]:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {error}; check --config") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is no TOML: {error}") from None
    told = {name: Told(value, str(path)) for name, value in _flat(tree)}
    _refuse_unknown(told.keys(), FIELDS, f" in {path}")
    return told


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and (value or prefix + key in _SECTIONS):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _of_environment(environ: Mapping[str, str]) -> dict[str, Told]:
    ours = {name: text for name, text in environ.items() if _is_ours(name, text)}
    _refuse_unknown(ours.keys(), _VARIABLES, " in the environment")
    return {_VARIABLES[name]: _read(_VARIABLES[name], text, name) for name, text in ours.items()}


def _is_ours(name: str, text: str) -> bool:
    """Not the variables of our tests, nor the links to a service that happens to have our name."""
    rest = name.removeprefix(PREFIX)
    if rest == name or rest.startswith("TEST_"):
        return False
    linked = _SERVICE_LINK.fullmatch(rest) or (rest.endswith("PORT") and _LINK_URL.match(text))
    return name in _VARIABLES or not linked


def _of_overrides(overrides: Sequence[str]) -> dict[str, Told]:
    pairs = [text.partition("=") for text in overrides]
    for key, separator, _ in pairs:
        if not separator:
            raise SettingsError(f"--set {key}: write --set KEY=VALUE, such as --set log.format=json")
    _refuse_unknown([key for key, _, _ in pairs], FIELDS, " in --set")
    return {key: _read(key, text, "--set") for key, _, text in pairs}


def _read(name: str, text: str, source: str) -> Told:
    """A value from a text."""
    field = FIELDS[name]
    if get_origin(field.annotation) is tuple:
        try:
            return Told(json.loads(text), source)
        except ValueError:
            example = '[{"topic": "candles"}]' if name == "inputs" else json.dumps(field.default)
            raise SettingsError(f"{name} = {short(text)} (from {source}): write JSON, {example}") from None
    return Told(None if text == "" and field.default is None else text, source)


def _refuse_unknown(names: Iterable[str], known: Mapping[str, object], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError("\n".join(f"no setting {name}{where}{_nearest(name, known)}" for name in unknown))


def _nearest(name: str, known: Iterable[str]) -> str:
    below = [each for each in known if each.lower().startswith((f"{name.lower()}.", f"{name.lower()}__"))]
    if below:
        return f": it is a section, of {', '.join(below)}"
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else "; `stream-lstm config show` lists them all"


def _nested(told: Mapping[str, Told]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, (value, _) in told.items():
        *sections, key = name.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[key] = value
    return tree


def _explained(error: ErrorDetails, told: Mapping[str, Told]) -> str:
    """One line about one thing that is wrong."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Conflict):
        origins = ", ".join(f"{name} from {told[name].source}" for name in cause.names if name in told)
        return f"{cause} ({origins})"
    parts = [str(part) for part in error["loc"]]
    name = next(".".join(parts[:end]) for end in (1, 2, 3) if ".".join(parts[:end]) in FIELDS)
    within = parts[name.count(".") + 1 :]
    place = name + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in within)
    if error["type"] == "extra_forbidden":
        return f"no setting {place} (from {told[name].source}){_nearest(parts[-1], Input.model_fields)}"
    value = "(hidden)" if is_secret(name) else _shown(error["input"])
    why = error["msg"].removeprefix("Value error, ")
    return f"{place} = {value} (from {told[name].source}): {why}. {meaning(name)}"


def _shown(value: object) -> str:
    """A wrong value, shortened; a password in a URL is none of it."""
    return short(_USER.sub("//***@", value) if isinstance(value, str) else value)
