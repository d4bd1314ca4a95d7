#!/usr/bin/env bash
# Does what the Dockerfile does, in a bare Debian root and without a container
# engine: its RUN lines of the last stage, a read-only root file system, a user
# of its own without capabilities, /data as the one place to write. Then the
# service starts on the example configuration, its health check holds, and it
# stops in good order. Needs root and debootstrap (apt-get install debootstrap).
#
#   tests/image.sh [BINARY]      default: target/release/forewarn
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:-target/release/forewarn}
[ -x "$binary" ] || { echo "$binary is not there: cargo build --release"; exit 1; }

work=$(mktemp -d)
root=$work/root
service=
cleanup() {
	[ -z "$service" ] || kill "$service" 2>/dev/null || true
	for at in "$root/data" "$root/tmp" "$root/proc" "$root"; do umount -l "$at" 2>/dev/null || true; done
	# What is mounted still is not ours to remove.
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT

echo "a bare Debian root"
debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap.log" || { cat "$work/debootstrap.log"; exit 1; }

echo "the last stage of the Dockerfile"
last_stage=$(tac Dockerfile | sed '/^FROM /q' | tac)
# A RUN line goes on while it ends in a backslash.
run=$(awk '/^RUN /{on=1} on{print} on && !/\\$/{on=0}' <<<"$last_stage" | sed 's/^RUN //')
chroot "$root" /bin/bash -euc "$run" >"$work/run.log" 2>&1 || { cat "$work/run.log"; exit 1; }
install -D "$binary" "$root/usr/local/bin/forewarn"
cp -r config "$root/etc/forewarn"
mapfile -t environment < <(sed -n 's/^ENV //p' <<<"$last_stage" | tr ' ' '\n')

echo "a read-only root, no privileges"
mount --bind "$root" "$root"
mount -t tmpfs -o mode=0700,uid=10001,gid=10001 none "$root/data"
mount -t tmpfs none "$root/tmp"
mount -t proc none "$root/proc"
mount -o remount,bind,ro "$root"
# No function: in the background its process id would be a shell's, not the service's.
inside=(chroot --userspec=10001:10001 "$root" /usr/bin/env -i "${environment[@]}"
	/usr/bin/setpriv --no-new-privs --bounding-set=-all --inh-caps=-all)
# Asked of the superuser: the service's own user may not write there in any case.
! chroot "$root" /bin/touch /etc/x 2>/dev/null || { echo "the root can be written to"; exit 1; }

"${inside[@]}" /usr/local/bin/forewarn run >"$work/out" 2>"$work/err" &
service=$!
for _ in $(seq 100); do
	if "${inside[@]}" /usr/local/bin/forewarn health >"$work/health" 2>&1; then break; fi
	kill -0 "$service" 2>/dev/null || { cat "$work/out" "$work/err"; echo "the service ended"; exit 1; }
	sleep 0.2
done
cat "$work/out" "$work/health"
"${inside[@]}" /usr/local/bin/forewarn health
"${inside[@]}" /usr/local/bin/forewarn log verify
"${inside[@]}" /usr/local/bin/forewarn stop
wait "$service"
service=
echo "the image's steps work"
