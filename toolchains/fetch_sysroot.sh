#!/bin/sh
# Fetches what the agent links, for another architecture, from the distribution's own packages.
#
#   toolchains/fetch_sysroot.sh arm64|armhf|armel [DIRECTORY]       (default: build/sources)
#
# Leaves DIRECTORY/sysroot-ARCH, the packages unpacked; does nothing if it is there, with all of them. This machine's package repositories are
# asked, with their keys, into a private apt directory: no foreign architecture is added to the system, nothing is
# installed, no privilege is needed. C and C++ libraries come with the cross compilers (g++-aarch64-linux-gnu, ...).
set -eu

fail() { echo "fetch_sysroot: $*" >&2; exit 1; }

arch=${1:-}
case $arch in arm64 | armhf | armel) ;; *) fail "which architecture? arm64, armhf or armel" ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
dest=${2:-$root/build/sources}
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
tree=$dest/sysroot-$arch
# The agent's, and of the last two holdfast-agent-yara's.
packages="libprotobuf-dev libmbedtls-dev nettle-dev libgmp-dev libyara-dev libmagic-dev libssl-dev"
complete="$packages, and the licence of each"
[ "$(cat "$tree/complete" 2>/dev/null)" != "$complete" ] || exit 0

apt=$dest/apt-$arch
rm -rf "$apt" "$tree"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/download" "$tree"
: >"$apt/status"
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
  chown _apt "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/download"
fi
own_apt() {
  apt-get -q -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State::lists="$apt/lists" \
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o Acquire::Retries=3 \
    -o APT::Update::Post-Invoke-Success::= -o APT::Update::Post-Invoke::= "$@"
}
log=$dest/fetch-sysroot-$arch.log
echo "fetch_sysroot: asking this machine's package repositories for $arch (log: $log)" >&2
own_apt update >"$log" 2>&1 || true
(cd "$apt/download" && own_apt download $packages >>"$log" 2>&1) || {
  tail -n 5 "$log" >&2
  fail "the packages for $arch could not be had; see $log"
}
for package in "$apt"/download/*.deb; do
  dpkg-deb -x "$package" "$tree"
  dpkg-deb -f "$package" Package Version | sed 's/^[^:]*: //' | paste -sd ' ' >>"$tree/packages"
done
# The licence of some is in another package of the same source, which their folder is a link to.
for folder in "$tree"/usr/share/doc/*; do
  [ ! -e "$folder" ] || continue
  other=$(readlink "$folder")
  (cd "$apt/download" && rm -f "$other"_*.deb && own_apt download "$other" >>"$log" 2>&1) ||
    fail "$other, with the licence of ${folder##*/}, could not be had; see $log"
  dpkg-deb --fsys-tarfile "$apt/download/$other"_*.deb | tar -x -C "$tree" "./usr/share/doc/$other/copyright"
done
rm -rf "$apt"
echo "$complete" >"$tree/complete"
