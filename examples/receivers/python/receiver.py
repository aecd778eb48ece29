"""A receiver of FASTCore's webhooks: verifies by Standard Webhooks' own library, drops what it has, prints the rest.

WEBHOOK_KEY=whsec_... python receiver.py [PORT]
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(os.environ["WEBHOOK_KEY"])
LONGEST = 1 << 20

# A real receiver keeps these in its database, in the transaction that does what the event asks for.
seen: set[str] = set()
lock = Lock()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= LONGEST):
            self.close_connection = True
            self.answer(413)
            return
        # The bytes as they came: parsed and written anew, they have another signature.
        body = self.rfile.read(int(length))
        try:
            WEBHOOK.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.answer(401)
            return
        with lock:
            if self.headers["webhook-id"] not in seen:
                print(json.dumps({"id": self.headers["webhook-id"], **json.loads(body)}), flush=True)
                seen.add(self.headers["webhook-id"])
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """No line for each request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Receiver)
    print(f"listening on http://127.0.0.1:{server.server_port}/", file=sys.stderr, flush=True)
    server.serve_forever()
