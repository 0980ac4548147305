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

own() {
  tool=$1
  shift
  "$tool" -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts" \
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Get::List-Cleanup=0 \
    -o Acquire::Languages=none -o Acquire::Retries=3 \
    -o APT::Update::Post-Invoke-Success::= -o APT::Update::Post-Invoke::= "$@"
}
download() { (cd "$apt/download" && own apt-get source --download-only "$1" >>"$log" 2>&1); }

# A repository may list what it does not give: a mirror that is half-way through an update, or has lost a file. Then every
# other one that lists it is asked, for this version and, said aloud, for older ones; files that one gave are kept.
download_from_any() {
  package=$1
  download "$package" && return 0
  newest=
  for version in $(own apt-cache showsrc --only-source "$package" 2>>"$log" | sed -n 's/^Version: //p' | sort -ruV); do
    : "${newest:=$version}"
    download "$package=$version" || for suite in $(sed -n 's/^Suite: //p' "$apt"/lists/*Release | sort -u); do
      ! download "$package/$suite" || break
    done
    if has_all "$version"; then
      [ "$version" = "$newest" ] ||
        echo "fetch_sources: WARNING: no repository gives $package $newest, which they list; taking $version" >&2
      return 0
    fi
    rm -f "$apt/download/${package}"_*
  done
  return 1
}

# "SHA256 FILE" of a version's files, from the signed lists.
listed_files() {
  own apt-cache showsrc --only-source "$package" 2>>"$log" | awk -v version="$1" '
    /^Version: / { ours = $2 == version; hashes = 0 }
    /^[^ ]/ { hashes = /^Checksums-Sha256:/ }
    ours && hashes && /^ / { print $1 "  " $3 }' | sort -u
}
# The .dsc names and signs the others: without it the lists do so too.
has_all() {
  listed_files "$1" | grep -v '\.dsc$' >"$apt/sums" && (cd "$apt/download" && sha256sum --quiet -c "$apt/sums") >>"$log" 2>&1
}

# unpack TREE: the source that was downloaded, with the distribution's patches.
unpack() {
  set -- "$1" "$apt/download/$package"_*.dsc
  if [ -f "$2" ]; then
    # The hashes were checked by apt against the signed lists, and are checked again by -x.
    dpkg-source -x "$2" "$1" >>"$log" 2>&1
    return
  fi
  echo "fetch_sources: no repository gives the .dsc of $package; the other files are those of the signed lists" >&2
  mkdir "$1"
  tar -xf "$apt/download/$package"_*.orig.tar.[gx]z -C "$1" --strip-components=1 || return 1
  rm -rf "$1/debian"
  while read -r _ file; do
    part=${file##*.orig-}
    case $file in
      *.asc | *.orig.tar.*) ;;
      *.orig-*.tar.*)
        mkdir -p "$1/${part%%.tar.*}"
        tar -xf "$apt/download/$file" -C "$1/${part%%.tar.*}" --strip-components=1 || return 1 ;;
      *.debian.tar.*) tar -xf "$apt/download/$file" -C "$1" || return 1 ;;
      *) echo "no such form of source: $file" >>"$log"; return 1 ;;
    esac
  done <"$apt/sums"
  [ -f "$1/debian/control" ] || return 1
  sed 's/[[:space:]]*#.*//; /^$/d' "$1/debian/patches/series" 2>/dev/null | while read -r change _; do
    patch -d "$1" -p1 -s --no-backup-if-mismatch <"$1/debian/patches/$change" >>"$log" 2>&1 || exit 1
  done
}
log=$dest/fetch.log
echo "fetch_sources: asking this machine's package repositories for the source of$wanted (log: $log)" >&2
# One repository may have no sources, or be down: what counts is whether the package is found.
own apt-get update >"$log" 2>&1 || true
for package in $wanted; do
  tree=$dest/$package
  rm -rf "$tree.new"
  download_from_any "$package" || {
    grep -E '^E: ' "$log" | tail -n 5 >&2
    fail "no repository of this machine's apt gives the source of $package, whatever they list: try later, or another mirror; see $log, $instead"
  }
  unpack "$tree.new" || fail "unpacking the source of $package failed; see $log"
  rm -rf "$tree"
  mv "$tree.new" "$tree"
  # Builds of the source before are of no use now.
  if [ "$refresh" = yes ]; then
    case $package in
      libwebsockets) rm -rf "$root"/build/*/*_lws ;;
      sqlite3) rm -rf "$root"/build/*/agent_sqlite ;;
    esac
  fi
  echo "fetch_sources: $(head -n 1 "$tree/debian/changelog" | cut -d ')' -f 1)) is in $tree" >&2
done
rm -rf "$apt"
