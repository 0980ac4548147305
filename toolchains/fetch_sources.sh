#!/bin/sh
# Fetches the distribution's source packages of what we build ourselves.
#
#   toolchains/fetch_sources.sh [--refresh] PACKAGE...      (libwebsockets, sqlite3)
#
# Leaves build/sources/PACKAGE, unpacked with the distribution's patches applied; does nothing for those that
# are there. The sources are asked of the very repositories that this machine's apt is configured for,
# with the same keys: their "deb" entries are read as "deb-src" into a private apt directory below
# build/sources. The system's own apt configuration, lists and cache are neither changed nor locked, and
# no privilege is needed. To build from other trees instead: cmake -DHOLDFAST_LWS_SOURCE=TREE
# -DHOLDFAST_SQLITE_SOURCE=TREE.
set -eu

fail() { echo "fetch_sources: $*" >&2; exit 1; }

refresh=no
if [ "${1:-}" = --refresh ]; then refresh=yes; shift; fi
for package in "$@"; do
  case $package in libwebsockets | sqlite3) ;; *) fail "nothing here is built from '$package'" ;; esac
done
root=$(cd "$(dirname "$0")/.." && pwd)
dest=$root/build/sources
mkdir -p "$dest"

# Two builds may start at once: the second waits, then finds the trees.
exec 9>"$dest/.lock"
flock 9
wanted=
for package in "$@"; do
  if [ "$refresh" = yes ] || [ ! -f "$dest/$package/debian/control" ]; then wanted="$wanted $package"; fi
done
[ -n "$wanted" ] || exit 0
instead="or point HOLDFAST_LWS_SOURCE and HOLDFAST_SQLITE_SOURCE to unpacked source trees"

for tool in apt-get apt-config dpkg-source; do
  command -v "$tool" >/dev/null || fail "$tool is missing (packages: apt, dpkg-dev); $instead"
done

apt=$dest/apt
rm -rf "$apt"
mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/download"
# Also apt's sandbox user must be able to write here when this runs as root.
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
  chown _apt "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/download"
fi

# One-line format: "deb [options] URI suite component...".
as_source_list() {
  sed -n -E 's/^[[:space:]]*deb(-src)?[[:space:]]+/deb-src /p' "$1" | grep -v '^deb-src *\(\[[^]]*\]\)\{0,1\} *cdrom:' || true
}
# deb822 format: stanzas; whatever their Types were, they become deb-src. Signed-By stays.
as_source_stanzas() {
  awk 'BEGIN { RS = ""; FS = "\n" }
    {
      off = 0; has_types = 0; out = ""; in_types = 0
      for (i = 1; i <= NF; i++) {
        line = $i; low = tolower(line)
        if (low ~ /^enabled:[ \t]*(no|false|off|0|without|disable)[ \t]*$/) off = 1
        if (low ~ /^types:/) { line = "Types: deb-src"; has_types = 1; in_types = 1 }
        else if (in_types && line ~ /^[ \t]/) continue
        else in_types = 0
        out = out line "\n"
      }
      if (has_types && !off) printf "%s\n", out
    }' "$1"
}

eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
if [ -f "${list:-}" ]; then as_source_list "$list" >"$apt/parts/system.list"; fi
for file in "${parts:-/nonexistent}"/*; do
  name=$(basename "$file")
  case $name in
    *.list) as_source_list "$file" >"$apt/parts/$name" ;;
    *.sources) as_source_stanzas "$file" >"$apt/parts/$name" ;;
  esac
done
find "$apt/parts" -type f -size 0 -delete
[ -n "$(ls "$apt/parts")" ] || fail "this machine's apt has no package repository configured"

own_apt() {
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts" \
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Get::List-Cleanup=0 \
    -o Acquire::Languages=none -o Acquire::Retries=3 \
    -o APT::Update::Post-Invoke-Success::= -o APT::Update::Post-Invoke::= "$@"
}
log=$dest/fetch.log
echo "fetch_sources: asking this machine's package repositories for the source of$wanted (log: $log)" >&2
# One repository may have no sources, or be down: what counts is whether the package is found.
own_apt update >"$log" 2>&1 || true
for package in $wanted; do
  (cd "$apt/download" && own_apt source --download-only "$package" >>"$log" 2>&1) || {
    tail -n 5 "$log" >&2
    fail "no repository of this machine's apt gave the source of $package; see $log, $instead"
  }
  set -- "$apt/download/$package"_*.dsc
  [ -f "$1" ] || fail "the download has no .dsc file; see $log"
  tree=$dest/$package
  rm -rf "$tree.new"
  # The hashes were checked by apt against the signed lists, and are checked again by -x.
  dpkg-source -x "$1" "$tree.new" >>"$log" 2>&1 || fail "unpacking $1 failed; see $log"
  rm -rf "$tree"
  mv "$tree.new" "$tree"
  # Builds of the source before are of no use now.
  if [ "$refresh" = yes ]; then
    case $package in
      libwebsockets) rm -rf "$root"/build/*/*_lws ;;
      sqlite3) rm -rf "$root"/build/*/agent_sqlite ;;
    esac
  fi
  echo "fetch_sources: $(basename "$1" .dsc) is in $tree" >&2
done
rm -rf "$apt"
