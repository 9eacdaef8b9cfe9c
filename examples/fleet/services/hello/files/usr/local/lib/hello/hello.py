import http.server
import pathlib

GREETING = pathlib.Path("/etc/hello/greeting").read_text()
VISITS = pathlib.Path("/var/lib/hello/visits")


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        visits = int(VISITS.read_text()) + 1 if VISITS.exists() else 1
        VISITS.write_text(str(visits))
        body = f"{GREETING}You are visitor {visits}.\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.HTTPServer(("127.0.0.1", 8000), Hello).serve_forever()
