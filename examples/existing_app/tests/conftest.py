"""An empty database for each test, made by the migrations."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from lending import create_app

ENVIRONMENT = Path(__file__).parent.parent / "development.env"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    for line in ENVIRONMENT.read_text().splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path))
    app = create_app()
    with app.app_context():
        upgrade()
    app.test_cli_runner().invoke(args=["add-items", "Camera", "Tripod"])
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
