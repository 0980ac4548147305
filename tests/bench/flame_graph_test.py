#!/usr/bin/env python3
"""Stacks become a flame graph: who called is below, names are short, and nothing of them is taken for markup."""
import unittest
import xml.etree.ElementTree

import flame_graph

TWICE = """holdfastd 12 100.5:    2518891 cpu-clock:ppp:
\t    1111 holdfast::Verify(holdfast::Key const&)+0x1c (/usr/bin/holdfastd)
\t    2222 std::vector<int, std::allocator<int> >::at(unsigned long)+0x2 (/usr/lib/libstdc++.so.6)
\t    3333 [unknown] (/usr/lib/libcrypto.so.3)
\t    3334 [unknown] (/usr/lib/libcrypto.so.3)
\t    4444 main+0x9 (/usr/bin/holdfastd)

"""
ONCE = """redis-server 13/14 100.6: cpu-clock:ppp:
\t ffffffff do_syscall_64+0x5d ([kernel.kallsyms])
\t    5555 operator<(int)+0x1 (/usr/bin/redis-server)

"""
NONE = "swapper 0 100.7: cpu-clock:ppp:\n\n"


class FlameGraphTest(unittest.TestCase):
    def setUp(self):
        self.stacks = flame_graph.fold((TWICE + TWICE + ONCE + NONE).splitlines(), {12: "g0", 13: "<redis>"})

    def test_stacks_are_counted_from_the_outermost(self):
        names = {tuple(name for name, _ in stack): samples for stack, samples in self.stacks.items()}
        self.assertEqual(names, {("g0", "main", "[libcrypto.so.3]", "std::vector::at", "Verify"): 2,
                                 ("<redis>", "operator<", "do_syscall_64"): 1})

    def test_frames_say_whose_they_are(self):
        kinds = dict(frame for stack in self.stacks for frame in stack)
        self.assertEqual((kinds["Verify"], kinds["std::vector::at"], kinds["do_syscall_64"]), ("ours", "library", "kernel"))

    def test_a_function_is_counted_with_what_it_called_and_once_a_stack(self):
        found = flame_graph.inclusive(self.stacks)
        self.assertEqual((found["g0"]["main"], found["g0"]["g0"], found["<redis>"]["operator<"]), (2, 2, 1))

    def test_the_picture_is_whole_and_wide_as_its_samples(self):
        picture = xml.etree.ElementTree.fromstring(flame_graph.svg(self.stacks, "a <title>"))
        space = "{http://www.w3.org/2000/svg}"
        widths = {group.find(space + "title").text.split(":")[0]: float(group.find(space + "rect").get("width"))
                  for group in picture.iter(space + "g")}
        self.assertAlmostEqual(widths["main"], flame_graph.WIDTH * 2 / 3, delta=1)
        self.assertAlmostEqual(widths["<redis>"], flame_graph.WIDTH / 3, delta=1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
