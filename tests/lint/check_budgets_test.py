#!/usr/bin/env python3
"""Breaks each budget of check_budgets.py once."""
import pathlib
import tempfile
import unittest

import check_budgets


class CheckBudgetsTest(unittest.TestCase):
    def errors(self, text, name="common/x.cc"):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / name
            file.parent.mkdir(parents=True)
            file.write_text(text)
            return [t for error, t in check_budgets.complaints(pathlib.Path(folder)) if error]

    def test_refuses_a_file_that_is_too_long(self):
        self.assertEqual(len(self.errors("int x;\n" * 800)), 1)
        self.assertEqual(self.errors("int x;\n" * 799), [])

    def test_refuses_a_function_that_is_too_long(self):
        def function(lines, indent=""):
            return f"{indent}void F(int a) {{\n" + f"{indent}  G();\n" * lines + indent + "}\n"
        self.assertEqual(self.errors(function(70)), [])
        self.assertEqual(len(self.errors(function(71))), 1)
        method = "class C {\n public:\n" + function(71, "  ") + "};\n"
        self.assertEqual(len(self.errors(method)), 1)

    def test_measures_a_function_whose_head_takes_several_lines(self):
        head = "A::A(int a,\n     int b)\n    : a_(a) {\n"
        self.assertEqual(self.errors(head + "  G();\n" * 60 + "}\n" + "void F() {\n}\n" * 30), [])
        self.assertEqual(len(self.errors(head + "  G();\n" * 71 + "}\n")), 1)

    def test_does_not_take_a_class_a_namespace_or_a_table_for_a_function(self):
        for head, end in (("namespace a {", "}"), ("class C : public B {", "};"),
                          ("const std::map<int, std::string> kNames = {", "};"),
                          ("constexpr std::array<Row, 80> kRows{{", "}};")):
            with self.subTest(head=head):
                self.assertEqual(self.errors(head + "\n" + "  x,\n" * 80 + end + "\n"), [])


if __name__ == "__main__":
    unittest.main()
