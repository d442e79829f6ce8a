#!/bin/bash
# Containers of Podman, and an agent that is in one of them as docs/install.md says. Run by `cargo xtask containers` in a
# virtual machine whose files all lie in memory; agent.sh beside this file is the command of that document.
# Functions are handed to others by name.
# shellcheck disable=SC2317
failed=0
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive HOME=/root

run() {
	echo "# $*"
	"$@" 2>&1
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

# Wait up to two minutes for a command to succeed.
wait_for() {
	for _ in $(seq 240); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.5
	done
	return 1
}

# What a command prints has this in it.
says() {
	local text=$1
	shift
	"$@" 2>/dev/null | grep -q -- "$text"
}

# The ids of what doctor finds not to be fine, in a container with these options.
named() {
	podman run --rm "$@" localhost/socktrace doctor --json | tr '{' '\n' | sed -n '/"answer":"ok"/!s/.*"id":"\([^"]*\)".*/\1/p' | sort | xargs
}

# Exactly these.
names() {
	local expected=$1 said
	shift
	said=$(named "$@")
	echo "# podman run --rm $* localhost/socktrace doctor: $said"
	check "doctor names what is missing, and nothing else" [ "$said" = "$expected" ]
}

inside() { podman exec socktrace /usr/bin/socktrace "$@"; }

# The root of this machine is what it was booted from, which cannot be put aside.
mkdir -p /etc/containers /tmp/web/bin
cat >/etc/containers/containers.conf <<END
[containers]
log_driver = "k8s-file"
[engine]
no_pivot_root = true
runtime = "crun"
events_logger = "file"
END
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers"\ngraphroot = "/var/lib/containers"\n' >/etc/containers/storage.conf
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["bpf"],"action":"SCMP_ACT_ERRNO"}]}' >/opt/nobpf.json
image=$(podman pull -q oci-archive:/opt/socktrace.oci.tar)
podman tag "$image" localhost/socktrace
cp "$(command -v busybox)" /tmp/web/bin/busybox
tar -C /tmp/web -c . | podman import -q - localhost/web >/dev/null

echo "== an agent in a container"
podman run -d --name before --network=none localhost/web /bin/busybox httpd -f -p 8080 >/dev/null
run cat ./agent.sh
run bash ./agent.sh
wait_for inside status
check "it answers in its container" inside status
run podman exec socktrace /usr/bin/socktrace doctor -v
check "nothing keeps it from tracing" inside doctor
bad=$(inside doctor --json | tr '{' '\n' | sed -n '/"answer":"ok"/!s/.*"id":"\([^"]*\)".*/\1/p' | xargs)
check "nothing is kept from it but what this kernel lacks" [ "$bad" = "hooks.sock_send_length agent.hooks.sock_send_length" ]

echo "== whose sockets are whose"
podman run -d --name after --network=none localhost/web /bin/busybox httpd -f -p 8081 >/dev/null
for name in before after; do
	id=$(podman inspect -f '{{.Id}}' "$name")
	run podman exec socktrace /usr/bin/socktrace ss -tln --all-netns --columns local,process,container "container = ${id:0:12}"
	check "a socket of container $name is known by its id" says "\"container\":\"$id\"" inside ss -tln --all-netns -e --json "container = $id"
	check "and by its process" says '"busybox"' inside ss -tlnp --all-netns "container = $id"
done
# Nothing lies there; that is an answer, too.
podman exec after /bin/busybox wget -q -O /dev/null http://127.0.0.1:8081/ 2>/dev/null
id=$(podman inspect -f '{{.Id}}' after)
wait_for says ':8081' inside history -n "container = $id"
run podman exec socktrace /usr/bin/socktrace history -n "container = $id"
check "what closed in a container is known by its id" says busybox inside history --json "container = $id"

echo "== the host asks the agent in the container"
dpkg -i /opt/socktrace.deb >/dev/null 2>&1
run socktrace ss -tlnp --all-netns "container = $id"
check "the host's root is answered" says busybox socktrace ss -tlnp --all-netns "container = $id"
check "by that agent" socktrace status

echo "== what a container is not given"
everything="--pid=host --network=host --cgroupns=host --userns=host -v /sys/fs/cgroup:/sys/fs/cgroup:ro -v /sys/kernel/tracing:/sys/kernel/tracing:ro"
capabilities=$(for name in BPF PERFMON SYS_NICE NET_ADMIN SYS_ADMIN SYS_PTRACE DAC_READ_SEARCH; do echo "--cap-add=$name"; done | xargs)
usual="hooks.sock_send_length"
# Words of their own.
# shellcheck disable=SC2086
{
	names "$usual" $everything $capabilities --security-opt=seccomp=unconfined
	names "seccomp trace.load" $everything $capabilities --security-opt=seccomp=/opt/nobpf.json
	names "rights.bpf rights.dac_read_search rights.net_admin rights.perfmon rights.sys_admin rights.sys_nice rights.sys_ptrace trace" $everything --cap-drop=ALL
	names "$usual pid_namespace" ${everything/--pid=host/} $capabilities --security-opt=seccomp=unconfined
}
run podman run --rm --network=none localhost/socktrace doctor
echo "containers: $([ $failed = 0 ] && echo "everything as it should be" || echo "FAILED")"
exit $failed
