"""The values that the service returns. Unknown fields are in ``extra``, and unknown statuses pass."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar, Optional, cast

import attrs

from buntime._http import BufferedResponse, Secret
from buntime._support.typing import dataclass_transform
from buntime.wire.fields import invalid

SECRET_FIELDS: frozenset[str] = frozenset(
    {"ssh_private_key", "auth_token", "upload_url", "upload_headers", "download_url"}
)
"""The fields of views whose values are credentials; of presigned URLs, the queries are."""
KINDS: dict[str, type[View]] = {}
"""Each view by its name, as routes and the types of fields name it."""
_VIEW = re.compile(r"\w*View\b")
_IDS = frozenset({"id", "execution_id", "devbox_id"})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(attrs.field,))
class _Frozen:
    """Makes each subclass a frozen attrs class with keyword arguments, and lists public ones in ``KINDS``."""

    if TYPE_CHECKING:
        __attrs_attrs__: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        view = cast("type[View]", attrs.frozen(kw_only=True, slots=False)(cls))
        if not cls.__name__.startswith("_"):
            KINDS[cls.__name__] = view


class View(_Frozen):
    """A JSON object of the service; a field that has no attribute is one all the same, and in ``extra``."""

    extra: dict[str, Any] = attrs.field(factory=dict)

    @classmethod
    def from_json(cls, value: Any, response: BufferedResponse) -> Any:
        """Return the view of a decoded object; null is an absent field.

        Raises :class:`~buntime.InvalidResponseError` for anything but an object, for a required field that is
        missing, and for an id that cannot be part of a path.
        """
        if not isinstance(value, dict):
            raise invalid(response, f"the body is a JSON {type(value).__name__}, not an object")
        spelt = {"scenarioIds": "scenario_ids"}
        extra = {spelt.get(key) or key: item for key, item in value.items() if item is not None}
        values: dict[str, Any] = {}
        for name, field in attrs.fields_dict(cls).items():
            item = extra.pop(name, None) if name != "extra" else None
            is_valid = isinstance(item, str) and not (name in _IDS and item in {"", ".", ".."})
            if field.default is attrs.NOTHING and not is_valid:
                raise invalid(response, f"the field {name!r} is {item!r}, not a text")
            if item is not None:
                values[name] = _value(field, item, response)
        return cls(**values, extra=extra)

    def __getattr__(self, name: str) -> Any:
        extra = vars(self).get("extra", {})
        if name in extra:
            return extra[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the object as JSON has it, without absent fields."""
        values = {name: value for name, value in vars(self).items() if value is not None and name != "extra"}
        return {name: _plain(value) for name, value in {**values, **self.extra}.items()}

    model_dump = to_dict

    def to_json(self, *, indent: Optional[int] = 2) -> str:
        """Return the object as the text of its JSON."""
        separators = (",", ":") if indent is None else None
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, separators=separators)

    def model_dump_json(self, *, indent: Optional[int] = None) -> str:
        """Return the object as the text of its JSON, by default in one line."""
        return self.to_json(indent=indent)


def _value(field: attrs.Attribute[Any], item: Any, response: BufferedResponse) -> Any:
    """Return an item of JSON as the value of a field: a secret, a view, a list of views, or as it is."""
    if field.name in SECRET_FIELDS and isinstance(item, str):
        return Secret(item)
    match = _VIEW.search(str(field.type))
    if match is None:
        return item
    kind = KINDS[match[0]]
    if isinstance(item, list):
        return [kind.from_json(each, response) for each in item]
    return kind.from_json(item, response)


def _plain(value: Any) -> Any:
    if isinstance(value, View):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Secret) else value


class LogView(View):
    """An entry of the log of a devbox or a build; ``cmd`` is the text of a command."""

    level: Optional[str] = None
    timestamp_ms: Optional[int] = None
    source: Optional[str] = None
    message: Optional[str] = None
    cmd: Optional[str] = None
    cmd_id: Optional[str] = None
    exit_code: Optional[int] = None
    shell_name: Optional[str] = None
