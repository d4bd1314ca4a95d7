#!/usr/bin/env bash
# Builds InfluxDB 2 once into the user's cache and prints the path of `influxd`.
# Debian has only 1.x, so the ordinary Go client builds it as a tool dependency
# of the little module beside this script. Five minutes and 3 GB from cold.
set -euo pipefail

version=2.7.12
here=$(cd "$(dirname "$0")" && pwd)
out=${XDG_CACHE_HOME:-$HOME/.cache}/forewarn/influxd-$version
if [ -x "$out/influxd" ]; then
	echo "$out/influxd"
	exit 0
fi
command -v go >/dev/null || { echo "build.sh: go not found, expected Go 1.24 or newer in PATH" >&2; exit 1; }

mkdir -p "$out"
work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

# influxd's own Rust toolchain pin (1.72) cannot be had everywhere, and its
# deny(warnings) trips a current compiler: hence stable, and capped lints.
printf '#!/bin/sh\nexec "$@" --cap-lints warn\n' >"$work/cap-lints"
chmod +x "$work/cap-lints"
cd "$here"
export GOFLAGS=-mod=mod
go build -o "$work/pkg-config" github.com/influxdata/pkg-config >&2
PKG_CONFIG=$work/pkg-config RUSTUP_TOOLCHAIN=stable RUSTC_WRAPPER=$work/cap-lints \
	go build -tags 'sqlite_foreign_keys sqlite_json' -o "$work/influxd" \
	github.com/influxdata/influxdb/v2/cmd/influxd >&2
mv "$work/influxd" "$out/influxd"
echo "$out/influxd"
