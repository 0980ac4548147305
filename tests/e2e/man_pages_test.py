#!/usr/bin/env python3
"""The manual pages of the programs without a grammar, and the completion, say what the programs do.

Compared with the programs' own help: every subcommand with its options, neither more nor less.
"""
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness.stack import BIN, ROOT  # noqa: E402


def help_of(program, word):
    return subprocess.run([BIN / program, word], capture_output=True, text=True, timeout=30,
                          check=True).stdout


def options(text):
    return set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", text))


def synopsis(page):
    """{subcommand: options} of a page's SYNOPSIS."""
    text = (ROOT / "docs/man" / page).read_text()
    body = text.split(".Sh SYNOPSIS\n")[1].split(".Sh ")[0]
    out = {}
    for part in body.split(".Nm\n")[1:]:
        words = re.findall(r"\.Cm ([a-z -]+?)(?: Fl| \||\n)", part)
        name = words[0].split()[0] if words else ""
        flags = re.findall(r"Fl Fl ([a-z-]+)", part) + [f"-{f}" for f in
                                                        re.findall(r"(?<!Fl )Fl ([a-z])\b", part)]
        out.setdefault(name, set()).update(f if f.startswith("-") else f"--{f}" for f in flags)
    return out


def described(page):
    """The options that have a paragraph of their own."""
    text = (ROOT / "docs/man" / page).read_text()
    items = " ".join(re.findall(r"(?m)^\.It (.*)$", text))
    return ({f"--{f}" for f in re.findall(r"Fl Fl ([a-z-]+)", items)} |
            {f"-{f}" for f in re.findall(r"(?<!Fl )Fl ([a-z])\b", items)})


def agent_usage():
    usage = help_of("holdfast-agent", "help").split("\n\n")[0]
    out = {}
    for line in usage.splitlines():
        words = line.split("holdfast-agent ")[1]
        for name in words.split() if "|" in words else [words.split()[0]]:
            if name != "|":
                out[name] = options(words)
    return out


def subcommands(text):
    return set(re.findall(r"(?m)^  ([a-z-]+)  ", text.split("Subcommands:")[1]))


def offered(program, *words):
    """What the completion of a program offers behind these words; the last one is being typed."""
    script = ROOT / f"docs/completion/{program}.bash"
    line = " ".join(f"'{w}'" for w in (program, *words))
    done = subprocess.run(
        ["bash", "-c", f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; "
         f"_{program.replace('-', '_')}; echo ${{COMPREPLY[@]}}"],
        capture_output=True, text=True, timeout=30, check=True)
    return set(done.stdout.split())


class ManPagesTest(unittest.TestCase):
    def test_the_agents_page_has_its_subcommands_and_options(self):
        usage, page = agent_usage(), synopsis("holdfast-agent.8")
        usage.pop("help")
        self.assertEqual(page, usage)
        self.assertEqual(described("holdfast-agent.8"), set().union(*usage.values()))

    def test_the_backends_page_has_its_options(self):
        text = help_of("holdfastd", "--help")
        self.assertEqual(described("holdfastd.8"), options(text))
        self.assertEqual({name for name in synopsis("holdfastd.8") if name}, subcommands(text))

    def test_the_simulators_page_has_its_subcommands_and_options(self):
        text = help_of("holdfast-fleet", "--help")
        commands = set(re.findall(r"(?m)^  ([a-z-]+)  ", text.split("Subcommands:")[1]))
        self.assertEqual({name for name in synopsis("holdfast-fleet.8") if name}, commands)
        every = options(text.split("Options:")[1].split("Subcommands:")[0])
        for name in commands:
            of_command = subprocess.run([BIN / "holdfast-fleet", name, "--help"], capture_output=True, text=True,
                                        timeout=30, check=True).stdout
            self.assertEqual(synopsis("holdfast-fleet.8")[name], options(of_command) - {"-h", "--help"}, name)
            every |= options(of_command)
        self.assertEqual(described("holdfast-fleet.8"), every)

    def test_the_completion_offers_what_the_agent_takes(self):
        usage = agent_usage()
        self.assertEqual(offered("holdfast-agent", ""), set(usage))
        for name, flags in usage.items():
            self.assertEqual(offered("holdfast-agent", name, "") - {"dump"}, flags, name)
        self.assertEqual(offered("holdfast-agent", "run", "--st"), {"--state"})

    def test_the_completion_offers_what_the_backend_takes(self):
        text = help_of("holdfastd", "--help")
        commands = subcommands(text)
        self.assertEqual(offered("holdfastd", ""), commands | options(text) - {"-h"})
        for command in commands:
            takes = options(subprocess.run([BIN / "holdfastd", command, "--help"], capture_output=True, text=True,
                                           timeout=30, check=True).stdout) - {"-h", "--help"}
            self.assertIn("--dir", takes)
            self.assertEqual(offered("holdfastd", command, ""), takes, command)
        self.assertEqual(offered("holdfastd", "--dir", "/", "re"), {"reload", "restore"})


if __name__ == "__main__":
    unittest.main()
