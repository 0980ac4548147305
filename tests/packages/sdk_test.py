#!/usr/bin/env python3
"""libholdfast-dev: its example is compiled with what the package brings and nothing of this tree, and asks an endpoint."""
import os
import pathlib
import subprocess
import tempfile
import unittest

from system_case import AGENT, FLEET, PACKAGES, VERSION, SystemCase

SDK = PACKAGES / f"libholdfast-dev_{VERSION}_amd64.deb"


class SdkTest(SystemCase):
    def compile(self, place):
        """By this machine's compiler, against the unpacked package."""
        subprocess.run(["dpkg-deb", "-x", SDK, place], check=True)
        env = os.environ | {"PKG_CONFIG_PATH": f"{place}/usr/lib/x86_64-linux-gnu/pkgconfig"}
        flags = subprocess.run(["pkg-config", f"--define-variable=prefix={place}/usr", "--cflags", "--libs", "--static",
                                "libholdfast"], env=env, capture_output=True, text=True, check=True).stdout.split()
        source = pathlib.Path(place, "usr/share/doc/libholdfast-dev/examples/ask.cc")
        program = pathlib.Path(place, "ask")
        # -isystem would hide what our headers say about themselves: they must be clean in a stranger's program.
        said = subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", source, "-o", program, *flags], cwd=place,
                              capture_output=True, text=True, check=False)
        self.assertEqual(said.returncode, 0, said.stderr[-3000:])
        self.assertNotIn("warning", said.stderr)
        return program

    def test_the_example_compiles_and_asks(self):
        with tempfile.TemporaryDirectory() as place:
            program = self.compile(place)
            print(f"  the example: {program.stat().st_size / 1e6:.1f} MB", flush=True)
            self.system.give(program, "/root/ask")
        self.system.run("install -m 755 /root/ask /usr/bin/ask")
        agent = self.endpoint()
        ask = f"runuser -u holdfast -- ask {FLEET} {agent}"
        self.assertEqual(self.system.run(f"{ask} \"SELECT 1 AS one, 'two' AS two, NULL\"").strip(),
                         f"{agent[:12]}\t1\ttwo\tNULL")
        status, said = self.system.run(f"{ask} 'SELECT * FROM no_table'", expect=None)
        self.assertEqual(status, 1)
        self.assertIn("no such table: no_table", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
