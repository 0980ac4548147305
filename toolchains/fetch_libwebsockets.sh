#!/bin/sh
# Fetches the distribution's source package of libwebsockets, for our own builds of it.
#
#   toolchains/fetch_libwebsockets.sh [--refresh] [DIRECTORY]       (default: build/sources)
#
# Leaves DIRECTORY/libwebsockets, unpacked with the distribution's patches applied; does nothing if it
# is there. The sources are asked of the very repositories that this machine's apt is configured for,
# with the same keys: their "deb" entries are read as "deb-src" into a private apt directory below
# DIRECTORY. The system's own apt configuration, lists and cache are neither changed nor locked, and
# no privilege is needed. To build from another tree instead: cmake -DHOLDFAST_LWS_SOURCE=TREE.
set -eu

fail() { echo "fetch_libwebsockets: $*" >&2; exit 1; }

refresh=no
if [ "${1:-}" = --refresh ]; then refresh=yes; shift; fi
root=$(cd "$(dirname "$0")/.." && pwd)
dest=${1:-$root/build/sources}
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
tree=$dest/libwebsockets

# Two builds may start at once: the second waits, then finds the tree.
exec 9>"$dest/.lock"
flock 9
if [ "$refresh" = no ] && [ -f "$tree/CMakeLists.txt" ]; then exit 0; fi

for tool in apt-get apt-config dpkg-source; do
  command -v "$tool" >/dev/null || fail "$tool is missing (packages: apt, dpkg-dev); or point" \
    "HOLDFAST_LWS_SOURCE to an unpacked libwebsockets source tree"
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
echo "fetch_libwebsockets: asking this machine's package repositories for the source (log: $log)" >&2
# One repository may have no sources, or be down: what counts is whether the package is found.
own_apt update >"$log" 2>&1 || true
(cd "$apt/download" && own_apt source --download-only libwebsockets >>"$log" 2>&1) || {
  tail -n 5 "$log" >&2
  fail "no repository of this machine's apt gave the source of libwebsockets; see $log, or point" \
    "HOLDFAST_LWS_SOURCE to an unpacked libwebsockets source tree"
}
set -- "$apt/download"/libwebsockets_*.dsc
[ -f "$1" ] || fail "the download has no .dsc file; see $log"
rm -rf "$tree.new"
# The hashes were checked by apt against the signed lists, and are checked again by -x.
dpkg-source -x "$1" "$tree.new" >>"$log" 2>&1 || fail "unpacking $1 failed; see $log"
[ -f "$tree.new/CMakeLists.txt" ] || fail "$1 does not hold a CMake tree"
rm -rf "$tree"
mv "$tree.new" "$tree"
rm -rf "$apt"
# Builds of the source before are of no use now.
if [ "$refresh" = yes ] && [ "$dest" = "$root/build/sources" ]; then rm -rf "$root"/build/*/*_lws; fi
echo "fetch_libwebsockets: $(basename "$1" .dsc) is in $tree" >&2
