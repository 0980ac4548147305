#!/usr/bin/env python3
"""Breaks each rule of check_proto.py once."""
import pathlib
import tempfile
import unittest

import check_proto

GOOD = """// What this is.
syntax = "proto3";
package holdfast.x.v1;
option optimize_for = LITE_RUNTIME;
enum CloseReason {
  CLOSE_REASON_UNSPECIFIED = 0;
  CLOSE_REASON_GONE = 1;
}
"""


class CheckProtoTest(unittest.TestCase):
    def complaints(self, text, name="proto/holdfast/x/v1/x.proto"):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / name
            file.parent.mkdir(parents=True)
            file.write_text(text)
            return list(check_proto.complaints(pathlib.Path(folder)))

    def test_is_content_with_a_good_file(self):
        self.assertEqual(self.complaints(GOOD), [])

    def test_refuses_each_breach(self):
        for old, new in (("// What this is.\n", ""), ("holdfast.x.v1", "holdfast.y.v1"),
                         ("option optimize_for = LITE_RUNTIME;\n", ""),
                         ("CLOSE_REASON_UNSPECIFIED", "CLOSE_REASON_NONE"),
                         ("CLOSE_REASON_GONE", "GONE"), ("GONE = 1", "GONE = 0")):
            with self.subTest(new=new):
                self.assertEqual(len(self.complaints(GOOD.replace(old, new))), 1)

    def test_refuses_a_file_outside_a_version(self):
        text = GOOD.replace("holdfast.x.v1", "holdfast.x")
        self.assertEqual(len(self.complaints(text, "proto/holdfast/x/x.proto")), 1)


if __name__ == "__main__":
    unittest.main()
