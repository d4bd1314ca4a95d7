#!/usr/bin/env bash
# A drill from end to end on this machine, in one minute, with nobody told: three
# gauges and two contacts, a flood, a mail with its link, nobody who answers, the
# other contact, an acknowledgement, a gauge that is lost, the all-clear, the evidence.
#   docs/try/drill.sh [FOLDER]     works in FOLDER, by default ./drill-tour, made anew
# It needs forewarn on the path, python3 and curl. Ports, should these be taken:
#   MQTT=1884 HTTP=8081 MAIL=1025 HOOK=9000 docs/try/drill.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-drill-tour}
: "${MQTT:=1884}" "${HTTP:=8081}" "${MAIL:=1025}" "${HOOK:=9000}"

step() { printf '\n== %s\n' "$*"; }
run() { printf '$ forewarn %s\n' "$*" >&2; forewarn "$@"; }
drill() { run "$@" --drill --config "$folder/config"; }

# Waits until a line like this has come, and shows it.
wait_for() { # PATTERN FILE SECONDS
	for _ in $(seq $(($3 * 5))); do
		if grep -m 1 -E -A 1 "$1" "$2" 2>/dev/null; then return; fi
		sleep 0.2
	done
	echo "drill.sh: no \"$1\" within $3 s; what there is: $2" >&2
	exit 1
}
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

step "1. Configure: three gauges, two contacts, and what is the drill's own"
if [ -e "$folder" ] && [ ! -e "$folder/drill.sh.log" ]; then
	echo "drill.sh: $folder is there and none of an earlier drill, expected a new folder" >&2
	exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"
: > "$folder/drill.sh.log"
cp -r "$here/drill" "$folder/config"
sed -i "s/:1884/:$MQTT/; s/:8081/:$HTTP/; s/port = 1025/port = $MAIL/" "$folder/config/drill/drill.toml"
cat "$folder/config/sensors.csv" "$folder/config/drill/contacts.csv"

step "2. Check it, and ask whom a red would reach"
drill check
drill who --area upper --level red --hazard flood

step "3. Start it, with a player that speaks for the gauges"
drill devices add player --stations qj-01,qj-02,qj-03 > "$folder/player.secret"
python3 "$here/receivers.py" --mail "$MAIL" --webhook "$HOOK" > "$folder/mails" &
started+=($!)
forewarn run --drill --config "$folder/config" > "$folder/service.log" 2>&1 &
started+=($!)
wait_for "is running, process" "$folder/service.log" 30
# Plays on while the script goes on; by its own process, so that it ends with the script.
play_on() { # GAUGE SHAPE ...
	forewarn simulate --sensor "$1/level" --shape "$2" --every "1 s" --to "mqtt://127.0.0.1:$MQTT" \
		--as player --secret "$folder/player.secret" "${@:3}" >> "$folder/drill.sh.log" 2>&1 &
	started+=($!)
}
played() { # PROCESS
	wait "$1" && return
	echo "drill.sh: a player ended with an error; see $folder/drill.sh.log and $folder/service.log" >&2
	exit 1
}

play_on qj-02 constant --low 57 --lasts "5 min"
play_on qj-03 constant --low 49 --lasts "5 min"

step "4. The flood comes: from 70 m to 73 m, where red begins at 72.40 m"
play_on qj-01 ramp --low 70 --peak 73 --lasts "10 s"
played $!
play_on qj-01 constant --low 73 --lasts "15 s"
flood=$!
wait_for "duty@example.org" "$folder/mails" 20

step "5. Nobody answers within 8 s: the other contact is told"
wait_for "chief@example.org" "$folder/mails" 40

step "6. She opens the link, and presses the button"
link=$(grep -A 1 "chief@example.org" "$folder/mails" | grep -m 1 -o "http.*")
curl -s "$link" > "$folder/page.html"
number=$(grep -o 'name="number" value="[0-9]*"' "$folder/page.html" | grep -o '[0-9]*')
curl -s -L --data "number=$number" "$link" > "$folder/acknowledged.html"
grep -o "You acknowledged[^<]*" "$folder/acknowledged.html"
drill warnings list

step "7. The gauge is lost, and that is no all-clear"
played "$flood"
wait_for "blind|lost|seen" "$folder/mails" 40

step "8. It is back, the water falls, and stays low for five seconds"
play_on qj-01 constant --low 66 --lasts "1 min"
wait_for "ALL-CLEAR|解除" "$folder/mails" 60

step "9. What is left as evidence"
drill warnings list > "$folder/warnings"
cat "$folder/warnings"
drill warnings show "$(awk '/flood@upper/ { print $1; exit }' "$folder/warnings")"
drill audit verify
drill stop
