"""What Gradescope accepts as results.json, as a JSON schema."""

_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
_FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
_TEST = {
    "type": "object",
    "properties": {
        "score": _NUMBER,
        "max_score": _NUMBER,
        "status": {"enum": ["passed", "failed"]},
        "name": _TEXT,
        "name_format": _FORMAT,
        "number": _TEXT,
        "output": _TEXT,
        "output_format": _FORMAT,
        "tags": {"type": "array", "items": _TEXT},
        "visibility": _VISIBILITY,
        "extra_data": _OBJECT,
    },
    "additionalProperties": False,
}
_RANKED = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "value": {"type": ["number", "string"]},
        "order": {"enum": ["asc", "desc"]},
    },
    "required": ["name", "value"],
    "additionalProperties": False,
}
GRADESCOPE_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Gradescope's results.json",
    "type": "object",
    "properties": {
        "score": _NUMBER,
        "execution_time": {"type": "number", "minimum": 0},
        "output": _TEXT,
        "output_format": _FORMAT,
        "test_output_format": _FORMAT,
        "test_name_format": _FORMAT,
        "visibility": _VISIBILITY,
        "stdout_visibility": _VISIBILITY,
        "extra_data": _OBJECT,
        "tests": {"type": "array", "items": _TEST},
        "leaderboard": {"type": "array", "items": _RANKED},
    },
    "anyOf": [{"required": ["score"]}, {"required": ["tests"]}],
    "additionalProperties": False,
}
"""Each field that the specification names, and no other; only a score or tests have to be there.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output format", "Test case
status", "Output String Formatting") and .../leaderboards/.
"""
