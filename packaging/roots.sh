#!/bin/sh
# The deb in a Debian that has just been set up, on the kernel that is there: installed, asked, purged. Run by
# `cargo xtask roots` as the first process of namespaces of its own.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
ip link set lo up
sed -n 's/^PRETTY_NAME=//p' /etc/os-release
ldd --version | head -n 1

dpkg -i /opt/socktrace.deb >/dev/null
socktrace --version
systemd-socket-activate -l 127.0.0.1:8080 cat >/dev/null 2>&1 &
until socktrace ss -tln | grep -q ':8080'; do sleep 0.1; done
socktrace ss -tan
# A connection is seen from its beginning to its end, by the programs of this kernel. What else this machine forbids is said.
socktrace doctor -v >/tmp/doctor || { cat /tmp/doctor; exit 1; }
grep -e '^ok  *trace.connection' -e '^[a-z]*: ' /tmp/doctor

dpkg -P socktrace >/dev/null
if [ -e /usr/bin/socktrace ] || [ -e /etc/socktrace ]; then
	echo "purging left something"
	exit 1
fi
