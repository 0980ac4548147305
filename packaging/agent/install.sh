#!/bin/sh
# Installs the Holdfast agent on a distribution without a package of its own: systemd, OpenRC, or /etc/init.d.
#   ./install.sh [--bundle FILE]     installs or upgrades; with a bundle it also enrols
set -eu

here=$(cd "$(dirname "$0")" && pwd)
state=/var/lib/holdfast-agent
die() { echo "install.sh: $*" >&2; exit 1; }

bundle=
case ${1:-} in
  --bundle) bundle=${2:?--bundle FILE} ;;
  --bundle=*) bundle=${1#--bundle=} ;;
  "") ;;
  *) echo "usage: $0 [--bundle FILE]" >&2; exit 2 ;;
esac
[ "$(id -u)" -eq 0 ] || die "needs root"
if [ -n "$bundle" ] && [ ! -r "$bundle" ]; then die "$bundle: cannot be read"; fi
kernel=$(uname -r)
major=${kernel%%.*}
rest=${kernel#*.}
minor=${rest%%[!0-9]*}
if [ "$major" -lt 4 ] || { [ "$major" -eq 4 ] && [ "$minor" -lt 9 ]; }; then
  die "this kernel is $kernel; the agent needs Linux 4.9 or later"
fi
# What an older agent finds in a newer one's journal it may not be able to read.
version=@VERSION@
there=$(/usr/sbin/holdfast-agent version 2>/dev/null | sed -n 's/^holdfast-agent //p')
if [ -n "$there" ] && [ "$there" != "$version" ] && [ -z "${HOLDFAST_ALLOW_DOWNGRADE:-}" ] &&
  [ "$(printf '%s\n%s\n' "$there" "$version" | sort -t . -k 1,1n -k 2,2n -k 3,3n -k 4,4n | tail -n 1)" = "$there" ]; then
  die "$there is installed, and $version is older; nothing was changed. If you must: HOLDFAST_ALLOW_DOWNGRADE=1 $0"
fi
# Whether this is a program for this machine shows before anything is replaced.
"$here/usr/sbin/holdfast-agent" version >/dev/null 2>&1 ||
  die "this package's program does not run here ($(uname -m)); take the package of this machine's architecture"
[ -w /usr/sbin ] || die "/usr/sbin cannot be written (a read-only system?); nothing was changed"

if ! grep -q '^holdfast-link:' /etc/passwd; then
  if command -v useradd >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /sbin/nologin holdfast-link
  elif command -v adduser >/dev/null; then
    adduser -S -D -H -h /nonexistent -s /sbin/nologin holdfast-link  # busybox
  else
    echo "install.sh: no useradd: the network process will run as nobody" >&2
  fi
fi
install -d -m 0700 "$state" /etc/holdfast-agent
# Whole or not at all: a new file beside the old one, then its name.
put() {
  install -D -m "$1" "$here/$2" "/$2.new"
  mv -f "/$2.new" "/$2"
}
put 0755 usr/sbin/holdfast-agent
put 0644 usr/share/man/man8/holdfast-agent.8.gz
put 0644 usr/share/bash-completion/completions/holdfast-agent

if [ -n "$bundle" ] && [ ! -e "$state/enrolled" ]; then
  (umask 077; /usr/sbin/holdfast-agent enrol --bundle "$bundle") || die "installed, but not enrolled"
fi

if [ -d /run/systemd/system ]; then
  for unit in holdfast-agent.service holdfast-agent.path holdfast-agent-enrol.service holdfast-agent-enrol.path \
    holdfast-agent-isolation.service; do
    put 0644 "usr/lib/systemd/system/$unit"
  done
  systemctl daemon-reload
  systemctl enable --quiet holdfast-agent.service holdfast-agent.path holdfast-agent-enrol.service holdfast-agent-enrol.path \
    holdfast-agent-isolation.service
  systemctl start holdfast-agent.path holdfast-agent-enrol.path
  systemctl restart holdfast-agent.service
elif command -v rc-update >/dev/null; then
  cat >/etc/init.d/holdfast-agent <<'RC'
#!/sbin/openrc-run
description="Holdfast agent"
supervisor=supervise-daemon
command=/usr/sbin/holdfast-agent
command_args=run
respawn_delay=2
respawn_max=0
umask=077
output_log=/var/log/holdfast-agent.log
error_log=/var/log/holdfast-agent.log
# Not "need net": where the network is nobody's service (static, or a container's) that is a service which does not exist.
depend() { use net; after ntpd chronyd; }
# Not required_files: OpenRC 0.45 starts it all the same.
start_pre() {
  [ -e /var/lib/holdfast-agent/enrolled ] || { eerror "not enrolled: holdfast-agent enrol --bundle FILE"; return 1; }
}
RC
  chmod 0755 /etc/init.d/holdfast-agent
  [ ! -d /etc/logrotate.d ] || put 0644 etc/logrotate.d/holdfast-agent
  rc-update add holdfast-agent default
  [ ! -e "$state/enrolled" ] || rc-service holdfast-agent restart
else
  put 0755 etc/init.d/holdfast-agent
  [ ! -d /etc/logrotate.d ] || put 0644 etc/logrotate.d/holdfast-agent
  if command -v update-rc.d >/dev/null; then
    update-rc.d holdfast-agent defaults
  elif command -v chkconfig >/dev/null; then
    chkconfig --add holdfast-agent
  else
    echo "install.sh: no service manager was found; have /etc/init.d/holdfast-agent start run at boot" >&2
  fi
  /etc/init.d/holdfast-agent restart
fi
echo "holdfast-agent $version is installed."
[ -e "$state/enrolled" ] || echo "Enrol it: holdfast-agent enrol --bundle FILE (and start it, where there is no systemd)"
