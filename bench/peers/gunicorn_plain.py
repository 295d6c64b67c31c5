"""gunicorn with its own workers, gthread or gevent, for bench.scenarios.compare_servers."""

worker_class = "gthread"
threads = 80
reuse_port = True
keepalive = 100
worker_tmp_dir = "/dev/shm"  # noqa: S108 # in memory, as gunicorn's FAQ advises
control_socket_disable = True
