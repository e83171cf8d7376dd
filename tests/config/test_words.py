"""What is printed of a message."""

from lindiff.config.words import MOST_CHARACTERS, MOST_LINES, message, printable
from lindiff.errors import InputError


def test_what_a_terminal_obeys_is_spelled_out():
    assert printable("\x1b[31mred\x07\r\x9b\u202e\ud800 é\nnext") == (
        "\\x1b[31mred\\x07\\r\\x9b\\u202e\\ud800 é\nnext"
    )


def test_a_message_without_end_is_cut():
    lines = message(InputError("\n".join(["x" * 10**6] * 1000))).splitlines()
    assert len(lines) == MOST_LINES + 1
    assert {len(line) for line in lines[:-1]} == {MOST_CHARACTERS}
    assert lines[-1] == "… and 960 more lines"
