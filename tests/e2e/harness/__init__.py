"""End-to-end harness: real binaries, real TLS, real Redis, all in one throwaway directory.

Python's standard library only. Whatever a test starts, Stack.stop() ends, and it fails the test if
any process is left.
"""
