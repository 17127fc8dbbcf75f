"""The card built the obvious way: Flask-JWT-Extended (HS256), an ORM blocklist asked on every request, bcrypt 12.

SQLite is as it comes: the rollback journal, every commit synced. With JOURNAL=wal it has what the others have.
"""

import os
from datetime import UTC, datetime, timedelta

import bcrypt
from flask import Flask, jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

app = Flask(__name__)
app.config.update(
    SQLALCHEMY_DATABASE_URI=os.environ["DATABASE_URL"],
    JWT_SECRET_KEY=os.environ["SECRET_KEY"],
    JWT_ACCESS_TOKEN_EXPIRES=timedelta(days=1),  # Longer than a run.
)
db = SQLAlchemy(app)
jwt = JWTManager(app)
Limiter(get_remote_address, app=app, default_limits=["100000000 per hour"], storage_uri="memory://")


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(80), nullable=False, unique=True)
    email = db.Column(db.String(120), nullable=False, unique=True)
    password_hash = db.Column(db.Text, nullable=False)
    created_at = db.Column(db.DateTime, nullable=False, default=lambda: datetime.now(UTC))


class BlockedToken(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    jti = db.Column(db.String(36), nullable=False, index=True)
    created_at = db.Column(db.DateTime, nullable=False, default=lambda: datetime.now(UTC))


@jwt.token_in_blocklist_loader
def blocked(header, payload):
    return BlockedToken.query.filter_by(jti=payload["jti"]).first() is not None


def tokens(identity):
    return jsonify(access_token=create_access_token(identity), refresh_token=create_refresh_token(identity))


@app.post("/auth/register")
def register():
    data = request.get_json()
    if User.query.filter_by(username=data["username"]).first() or User.query.filter_by(email=data["email"]).first():
        return jsonify(message="Username or email already exists"), 409
    hashed = bcrypt.hashpw(data["password"].encode(), bcrypt.gensalt(12)).decode()
    user = User(username=data["username"], email=data["email"], password_hash=hashed)
    db.session.add(user)
    db.session.commit()
    return jsonify(message="User registered successfully", user_id=user.id), 201


@app.post("/auth/login")
def login():
    data = request.get_json()
    known = (User.username == data["identifier"]) | (User.email == data["identifier"])
    user = User.query.filter(known).first()
    if user and bcrypt.checkpw(data["password"].encode(), user.password_hash.encode()):
        return tokens(str(user.id))
    return jsonify(message="Invalid credentials"), 401


@app.post("/auth/refresh")
@jwt_required(refresh=True)
def refresh():
    db.session.add(BlockedToken(jti=get_jwt()["jti"]))
    db.session.commit()
    return tokens(get_jwt_identity())


@app.get("/auth/protected")
@jwt_required()
def protected():
    return jsonify(message="You have access", logged_in_as=get_jwt_identity())


@app.get("/auth/me")
@jwt_required()
def me():
    user = db.session.get(User, int(get_jwt_identity()))
    return jsonify(id=user.id, username=user.username, email=user.email, created_at=user.created_at.isoformat())


def write_ahead(connection, _):
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


with app.app_context():
    if os.environ.get("JOURNAL") == "wal":
        event.listen(db.engine, "connect", write_ahead)
    db.create_all()
