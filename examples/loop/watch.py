"""Who is told: a receiver of webhooks, and a Prometheus with the alert rules of deploy/prometheus."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import urllib.parse
import urllib.request
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from services import Services, free_port

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "fstore.rules.yml"

CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [RULES]
scrape_configs:
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{targets: ['127.0.0.1:PORT']}]
"""


class Receiver:
    """Receives webhooks while its block lasts, and keeps those whose signature holds."""

    def __init__(self) -> None:
        key = secrets.token_bytes(32)
        self.secret = "whsec_" + base64.b64encode(key).decode()
        self.messages: list[dict[str, Any]] = []
        """What came, the first one first."""
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signed = f"{self.headers['Webhook-Id']}.{self.headers['Webhook-Timestamp']}.".encode() + body
                ours = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
                holds = hmac.compare_digest(f"v1,{ours}", self.headers["Webhook-Signature"] or "")
                if holds:
                    messages.append(json.loads(body))
                self.send_response(204 if holds else 401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Prometheus:
    """A Prometheus that reads a Pushgateway every second."""

    def __init__(self, services: Services, folder: Path) -> None:
        push, port = free_port(), free_port()
        self.pushgateway, self.url = f"http://127.0.0.1:{push}", f"http://127.0.0.1:{port}"
        folder.mkdir()
        (folder / "prometheus.yml").write_text(CONFIG.replace("PORT", str(push)).replace("RULES", str(RULES)))
        services.start(
            "pushgateway",
            ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{push}", "--persistence.file="],
            folder,
        )
        flags = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        services.start("prometheus", ["prometheus", *flags], folder)

    def ready(self, services: Services) -> None:
        """Waits until both answer."""
        services.ready("pushgateway", f"{self.pushgateway}/-/ready")
        services.ready("prometheus", f"{self.url}/-/ready")

    def value(self, query: str) -> str | None:
        """Returns the value of the only series that a query finds; None if it finds none."""
        found = self._get(f"query?query={urllib.parse.quote(query)}")["result"]
        return str(found[0]["value"][1]) if found else None

    def evaluated(self, alert: str) -> float:
        """Returns when the rule of an alert was last evaluated, in seconds since 1970."""
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        (last,) = (rule["lastEvaluation"] for rule in rules if rule["name"] == alert)
        return datetime.fromisoformat(last[:19] + "+00:00").timestamp()

    def alerts(self) -> dict[str, dict[str, str]]:
        """Returns the labels of the alerts that fire, by their name."""
        alerts = self._get("alerts")["alerts"]
        return {a["labels"]["alertname"]: a["labels"] for a in alerts if a["state"] == "firing"}

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
