#!/usr/bin/env python3
"""Fails when a program is larger than its budget.   usage: check_size.py FILE BYTES

Status 77 (skipped) when the file was not built.
"""
import os
import sys

path, budget = sys.argv[1], int(sys.argv[2])
if not os.path.exists(path):
    print(f"{path}: not built")
    sys.exit(77)
size = os.path.getsize(path)
print(f"{path}: {size} bytes, budget {budget}")
sys.exit(0 if size <= budget else 1)
