"""Runs several app processes, as on separate machines, behind nginx."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from bench.harness.stack import Stack
from bench.peers.contenders import CONTENDERS, RunningContender, run_contender
from tests.support import running_app

CONFIG_TEMPLATE = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream apps {{
    least_conn;
    {servers}
    keepalive 256;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://apps;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


@contextmanager
def run_behind_nginx(stage: Stack, count: int) -> Iterator[RunningContender]:
    """Runs `count` apps with one worker each, which share one Redis and one PostgreSQL."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("More machines need nginx: on Debian, apt install nginx.")
    port = running_app.free_port()
    url = f"http://localhost:{port}"
    database = running_app.new_database(stage.postgres_url)
    with ExitStack() as stack:
        apps = [
            stack.enter_context(
                run_contender(
                    stage, CONTENDERS["ours"], url=lambda _port: url, postgres_url=database
                )
            )
            for _ in range(count)
        ]
        servers = "\n    ".join(f"server 127.0.0.1:{app.environment['PORT']};" for app in apps)
        config = stage.folder / "nginx.conf"
        config.write_text(CONFIG_TEMPLATE.format(folder=stage.folder, port=port, servers=servers))
        command = [program, "-c", str(config), "-e", str(stage.folder / "nginx-error.log")]
        with running_app.run_process(command, {}, stage.folder / "nginx.log") as child:
            running_app.wait_until_answers(f"{url}/healthz", child)
            yield replace(
                apps[0], url=url, others=tuple(other.pid for other in apps[1:]), proxy=child.pid
            )
