"""The gunicorn settings of the peers: like ours in the root, as far as they affect cost."""

worker_class = "gthread"
threads = 80
reuse_port = True
keepalive = 100
worker_tmp_dir = "/dev/shm"  # noqa: S108 # in memory, as gunicorn's FAQ advises
control_socket_disable = True
