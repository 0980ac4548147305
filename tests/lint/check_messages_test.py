#!/usr/bin/env python3
"""check_messages.py finds a message that nothing prints, and nothing else."""
import pathlib
import tempfile
import unittest

import check_messages

PAGE = """| it says | what to do |
|---|---|
| `the port ... is taken`, `PEER_GONE` | See `nothing of this is a message`. |
| `database disk image is malformed` | Not ours. |
"""


class CheckMessagesTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = pathlib.Path(place.name)
        (self.root / "backend").mkdir()
        (self.root / "docs/operations").mkdir(parents=True)
        self.source = self.root / "backend/a.cc"
        self.source.write_text('Say("the port " + n +\n    " is"\n    " taken", CLOSE_REASON_PEER_GONE);\n')
        self.page = self.root / check_messages.PAGE
        self.page.write_text(PAGE)

    def test_messages_that_are_printed_pass_also_when_the_source_cuts_them(self):
        self.assertEqual(list(check_messages.complaints(self.root)), [])

    def test_a_message_that_nothing_prints_is_named_with_its_line(self):
        self.source.write_text(self.source.read_text().replace("taken", "used"))
        (found,) = check_messages.complaints(self.root)
        self.assertIn("troubleshooting.md:3: nothing prints 'is taken'", found)


if __name__ == "__main__":
    unittest.main()
