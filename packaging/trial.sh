#!/bin/bash
# What an operator does, on a Debian that has just been set up, with systemd as its first process: install, start, ask,
# upgrade, remove, purge. Run by `cargo xtask trial` in a virtual machine; what it prints is the transcript of docs/install.md.
#
# $1: the deb of a version before, $2: the deb.
# Functions are handed to others by name.
# shellcheck disable=SC2317
old=$1
new=$2
failed=0
export LC_ALL=C.UTF-8 SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 PAGER=cat SYSTEMD_PAGER=cat DEBIAN_FRONTEND=noninteractive COLUMNS=120

# Print a command and run it.
run() {
	echo "# $*"
	# dpkg counts to 100 % on one line.
	"$@" 2>&1 | grep -v 'Reading database'
}

# The same by an ordinary user.
user() {
	echo "\$ $*"
	runuser -u alice -- "$@" 2>&1
}

# Say what did not come true: a name, then a command that is to succeed.
check() {
	local what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		echo "    ($what)"
	else
		echo "    FAILED: $what"
		failed=1
	fi
}

# Wait up to a minute for a command to succeed.
wait_for() {
	for _ in $(seq 120); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.5
	done
	return 1
}

# A command that is to fail.
not() { ! "$@"; }

# What a command prints has this in it.
says() {
	local text=$1
	shift
	"$@" 2>/dev/null | grep -q -- "$text"
}

# What doctor could not attach as root is what the agent could not attach in its unit.
same_hooks() {
	local ids
	ids=$(socktrace doctor --json | grep -o '"id":"[^"]*hooks\.[^"]*"')
	[ "$(grep -c '"id":"hooks' <<<"$ids")" = "$(grep -c '"id":"agent' <<<"$ids")" ]
}

pid() { systemctl show -P MainPID socktrace; }
# Has another process than that one, and is ready.
is_another() { [ "$(pid)" != "$1" ] && [ "$(pid)" != 0 ] && systemctl is-active -q socktrace && socktrace status; }

useradd --create-home alice

echo "== install"
run dpkg -i "$old"
check "neither enabled nor started" not systemctl is-enabled -q socktrace
check "neither enabled nor started" not systemctl is-active -q socktrace
run systemctl enable --now socktrace
check "it runs" systemctl is-active -q socktrace
check "as its own user" says '^socktrace' ps -o user= -p "$(pid)"
check "no ordinary user reads the history's files" not runuser -u alice -- ls /var/lib/socktrace

echo "== ask"
runuser -u alice -- systemd-socket-activate -l 127.0.0.1:8080 sleep infinity >/dev/null 2>&1 &
wait_for says ':8080' socktrace ss -tln
user socktrace ss -tlnp
check "an ordinary user sees their own process" says systemd-socket runuser -u alice -- socktrace ss -tlnp
check "the agent answers an ordinary user" runuser -u alice -- socktrace status
bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'
wait_for says ':8080' socktrace history -n 'dport = :8080'
user socktrace history -n 'dport = :8080'
check "the history has the connection" says ':8080' socktrace history -n 'dport = :8080'
run socktrace doctor -v
check "doctor finds nothing that keeps it from tracing" socktrace doctor
check "the unit keeps the agent from no hook that root can attach" same_hooks
check "its filter of system calls is in place" not says agent.seccomp socktrace doctor --json

echo "== reload"
before=$(pid)
run sed -i 's/^#history-entries = .*/history-entries = 1000/' /etc/socktrace/agent.toml
run systemctl reload socktrace
check "the same process keeps fewer closed sockets now" wait_for says 'history-entries is 1000 now' journalctl --unit=socktrace
check "the same process" test "$(pid)" = "$before"

echo "== killed"
before=$(pid)
run kill -9 "$before"
check "systemd starts it again" wait_for is_another "$before"
check "the history survives" says ':8080' socktrace history -n 'dport = :8080'

echo "== upgrade"
before=$(pid)
run dpkg -i "$new"
check "the new version runs" wait_for is_another "$before"
check "still enabled" systemctl is-enabled -q socktrace
check "the history survives" says ':8080' socktrace history -n 'dport = :8080'
run systemctl status --no-pager --lines=0 socktrace
run journalctl --no-pager --output=cat --unit=socktrace
run systemctl stop socktrace
check "its directory goes with it" not test -e /run/socktrace
check "it ended well" says success systemctl show -P Result socktrace
systemctl start socktrace

echo "== remove"
run dpkg -r socktrace
check "it does not run" not systemctl is-active -q socktrace
check "the program is gone" not test -e /usr/bin/socktrace
check "what closed is kept" test -d /var/lib/socktrace
echo "== install again"
run dpkg -i "$new"
check "as it was: enabled" systemctl is-enabled -q socktrace
echo "== purge"
run dpkg -P socktrace
for path in /usr/bin/socktrace /etc/socktrace/agent.toml /var/lib/socktrace /run/socktrace /usr/lib/systemd/system/socktrace.service /etc/systemd/system/multi-user.target.wants/socktrace.service /etc/systemd/system/socktrace.service; do
	check "gone: $path" not test -e "$path" -o -L "$path"
done
check "systemd has forgotten it" not systemctl cat socktrace
echo "trial: $([ $failed = 0 ] && echo "everything as it should be" || echo "FAILED")"
exit $failed
