#!/usr/bin/env python3
"""Breaks each rule of check_reasons.py once."""
import pathlib
import tempfile
import unittest

import check_reasons

ENUM = "enum E {{\n  {p}UNSPECIFIED = 0;\n  {p}{n} = 1;  // words\n}}\n"


class CheckReasonsTest(unittest.TestCase):
    def complaints(self, rows=("GONE", "SQL"), tests="CLOSE_REASON_GONE COMMAND_FAILURE_SQL"):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            table = "".join(f"| `{row}` | 1 | words |\n" for row in rows)
            for name, text in (
                    ("proto/holdfast/link/v1/close_reason.proto",
                     ENUM.format(p="CLOSE_REASON_", n="GONE")),
                    ("proto/holdfast/command/v1/failure.proto",
                     ENUM.format(p="COMMAND_FAILURE_", n="SQL")),
                    ("docs/errors.md", table), ("tests/unit/x_test.cc", tests)):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(check_reasons.complaints(root))

    def test_is_content_when_all_is_there(self):
        self.assertEqual(self.complaints(), [])

    def test_misses_a_row(self):
        self.assertEqual(self.complaints(rows=("GONE",)),
                         ["COMMAND_FAILURE_SQL: no row in docs/errors.md"])

    def test_misses_a_test(self):
        self.assertEqual(self.complaints(tests='"SQL"'), ["CLOSE_REASON_GONE: no test names it"])

    def test_finds_a_row_for_nothing(self):
        self.assertEqual(self.complaints(rows=("GONE", "SQL", "OLD")),
                         ["docs/errors.md: OLD is in no catalogue"])


if __name__ == "__main__":
    unittest.main()
