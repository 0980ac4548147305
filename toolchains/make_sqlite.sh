#!/bin/sh
# Makes SQLite's one source file out of its source tree, with the grammar that is left by the options.
#
#   toolchains/make_sqlite.sh SOURCE DIRECTORY OPTION...            (OPTIONs as the compiler will get them)
#
# Leaves DIRECTORY/sqlite3.c and sqlite3.h. The steps are SQLite's own (main.mk: up to 3.47, whose makefile
# needs no configure), done outside the tree. Needs make, cc for this machine, tclsh.
set -eu

source=$1
dest=$2
shift 2
[ -f "$source/main.mk" ] || { echo "make_sqlite: $source is no source tree of SQLite (no main.mk)" >&2; exit 1; }
work=$dest/work
rm -rf "$work"
mkdir -p "$work"
# Nothing of make's that called us, and no word of this machine's language.
unset MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C
if ! make -s -C "$work" -f "$source/main.mk" TOP="$source" BCC=cc TCC=cc TCCX=cc NAWK=awk OPTS="$*" sqlite3.c \
    >"$dest/make.log" 2>&1; then
  tail -n 20 "$dest/make.log" >&2
  echo "make_sqlite: failed; all of it is in $dest/make.log" >&2
  exit 1
fi
mv "$work/sqlite3.c" "$work/sqlite3.h" "$dest/"
rm -rf "$work"
