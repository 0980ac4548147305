#!/bin/sh
# Removes what install.sh installed. Key, journal and unsent results stay, unless --purge.
set -eu
[ "$(id -u)" -eq 0 ] || { echo "uninstall.sh: needs root" >&2; exit 1; }
if [ -d /run/systemd/system ]; then
  systemctl disable --quiet --now holdfast-agent-enrol.path holdfast-agent.path holdfast-agent-enrol.service \
    holdfast-agent.service holdfast-agent-isolation.service 2>/dev/null || true
elif command -v rc-update >/dev/null; then
  rc-service holdfast-agent stop 2>/dev/null || true
  rc-update del holdfast-agent 2>/dev/null || true
else
  [ ! -x /etc/init.d/holdfast-agent ] || /etc/init.d/holdfast-agent stop || true
  ! command -v update-rc.d >/dev/null || update-rc.d -f holdfast-agent remove >/dev/null 2>&1 || true
  ! command -v chkconfig >/dev/null || chkconfig --del holdfast-agent 2>/dev/null || true
fi
# Without its agent nobody would end an isolation before its time.
[ ! -x /usr/sbin/holdfast-agent ] || /usr/sbin/holdfast-agent release >/dev/null 2>&1 || true
rm -f /usr/sbin/holdfast-agent /usr/share/man/man8/holdfast-agent.8.gz /usr/share/bash-completion/completions/holdfast-agent \
  /usr/lib/systemd/system/holdfast-agent.service /usr/lib/systemd/system/holdfast-agent.path \
  /usr/lib/systemd/system/holdfast-agent-enrol.service /usr/lib/systemd/system/holdfast-agent-enrol.path \
  /usr/lib/systemd/system/holdfast-agent-isolation.service \
  /etc/init.d/holdfast-agent /etc/logrotate.d/holdfast-agent
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "${1:-}" = --purge ]; then
  rm -rf /var/lib/holdfast-agent /etc/holdfast-agent /var/log/holdfast-agent.log* /run/holdfast-agent.pid /run/holdfast-agent-keeper.pid
  ! command -v userdel >/dev/null || userdel holdfast-link 2>/dev/null || true
fi
