#!/usr/bin/env python3
"""./dev checks what was typed before it installs or builds anything."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MISTAKES = (("foo",), ("demo", "--onse"), ("demo", "--once", "again"), ("build", "--fast"),
            ("lint", "x"), ("fmt", "x"), ("bench", "x"), ("bench", "basics", "x"),
            ("bench", "tables", "--x"), ("clean", "x"))


class DevTest(unittest.TestCase):
    def test_a_mistake_is_named_before_anything_is_done(self):
        with tempfile.TemporaryDirectory() as place:
            shutil.copy(ROOT / "dev", place)
            for words in MISTAKES:
                with self.subTest(words=words):
                    done = subprocess.run(["./dev", *words], cwd=place, capture_output=True,
                                          text=True, timeout=20, check=False)
                    self.assertEqual(done.returncode, 2, done)
                    self.assertIn(f"'{words[-1]}'", done.stderr)
                    self.assertIn("./dev help", done.stderr)
                    self.assertEqual(done.stdout, "")
            self.assertEqual([p.name for p in pathlib.Path(place).iterdir()], ["dev"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
