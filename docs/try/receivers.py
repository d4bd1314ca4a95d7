"""Takes mail on 127.0.0.1:1025 and webhooks on 127.0.0.1:9000, and prints what came,
of a mail with the link to its page.

For trying Forewarn on one machine; nothing leaves it. Python 3.9 or later, no packages.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import socketserver
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("FOREWARN_WEBHOOK_SECRET", "")


class Mail(socketserver.StreamRequestHandler):
    """The least of SMTP: takes every mail for everybody."""

    def handle(self):
        self.say("220 receivers.py")
        while line := self.rfile.readline():
            verb = line.split(b" ")[0].strip().upper()
            if verb == b"DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) and line != b".\r\n":
                    lines.append(line[1:] if line.startswith(b"..") else line)
                mail = message_from_bytes(b"".join(lines), policy=policy.default)
                print(f"mail    to {mail['To']}: {mail['Subject']}", flush=True)
                text = mail.get_body(("plain",)).get_content()
                for link in re.findall(r"https?://\S+/a/\S+", text):
                    print(f"        {link}", flush=True)
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 yes")

    def say(self, answer):
        self.wfile.write(answer.encode() + b"\r\n")


class Webhook(BaseHTTPRequestHandler):
    """Takes every delivery whose signature is right."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        genuine = is_genuine(SECRET, self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if not genuine:
            print("webhook with a wrong signature: is FOREWARN_WEBHOOK_SECRET the same?", flush=True)
            return
        delivery = json.loads(body)
        if delivery["type"] == "heartbeat":
            print(f"webhook {delivery['status']}: heartbeat {delivery['counter']}", flush=True)
            return
        for revision in delivery["revisions"]:
            words = revision["text"]["headline"]
            print(f"webhook {delivery['status']}: {words}", flush=True)

    def log_message(self, *_):
        pass


def is_genuine(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split())


if __name__ == "__main__":
    ports = argparse.ArgumentParser(description=__doc__)
    ports.add_argument("--mail", type=int, default=1025, metavar="PORT")
    ports.add_argument("--webhook", type=int, default=9000, metavar="PORT")
    ports = ports.parse_args()
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    mail = socketserver.ThreadingTCPServer(("127.0.0.1", ports.mail), Mail)
    threading.Thread(target=mail.serve_forever, daemon=True).start()
    webhooks = ThreadingHTTPServer(("127.0.0.1", ports.webhook), Webhook)
    print(
        f"mail on 127.0.0.1:{ports.mail}, webhooks on http://127.0.0.1:{ports.webhook}/, until Ctrl-C", flush=True
    )
    webhooks.serve_forever()
