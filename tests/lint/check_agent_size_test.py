#!/usr/bin/env python3
"""Breaks check_agent_size.py's rules one by one."""
import struct
import sys
import unittest

import check_agent_size


def elf(programs=(), sections=(), tail=b"", machine=62):
    """A 64-bit ELF file with these program header types and section types; a PT_DYNAMIC is `tail`."""
    program_at, section_at = 64, 64 + 56 * len(programs)
    body_at = section_at + 64 * len(sections)
    head = b"\x7fELF\x02\x01\x01" + bytes(11) + struct.pack("<H", machine) + bytes(12) + struct.pack(
        "<QQIHHHHHH", program_at, section_at, 0, 64, 56, len(programs), 64, len(sections), 0)
    head = head.ljust(64, b"\0")
    for kind in programs:
        head += struct.pack("<IIQQQQQQ", kind, 4, body_at, 0, 0, len(tail), len(tail), 8)
    for kind in sections:
        head += struct.pack("<II", 0, kind).ljust(64, b"\0")
    return head + tail


class CheckAgentSizeTest(unittest.TestCase):
    def test_takes_a_small_static_stripped_file(self):
        self.assertEqual(check_agent_size.complaints(elf([1, 2], [1], struct.pack("<QQ", 5, 0))), [])

    def test_names_each_breach(self):
        for data, words in ((elf() + bytes(4_000_000), "more than"), (elf([3]), "interpreter"),
                            (elf([2], [], struct.pack("<QQ", 1, 0)), "shared library"),
                            (elf([], [2]), "not stripped"), (b"#!/bin/sh", "not an ELF")):
            found = check_agent_size.complaints(data)
            self.assertEqual(len(found), 1, found)
            self.assertIn(words, found[0])

    def test_each_processor_has_its_own_figure(self):
        for machine, most in ((62, 4_000_000), (183, 3_500_000), (40, 2_500_000)):
            self.assertEqual(check_agent_size.complaints(elf(machine=machine).ljust(most, b"\0")), [])
            (said,) = check_agent_size.complaints(elf(machine=machine).ljust(most + 1, b"\0"))
            self.assertIn(f"has {most + 1} bytes, 1 more than {most}", said)

    def test_fails_the_build_on_a_dynamic_program(self):
        self.assertEqual(check_agent_size.main([sys.executable]), 1)


if __name__ == "__main__":
    unittest.main()
