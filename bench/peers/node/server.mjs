// An Express service with jose, bcrypt and better-sqlite3: HS256 tokens, refresh tokens rotated in SQLite.
import { createHash, randomBytes } from "node:crypto";
import bcrypt from "bcrypt";
import Database from "better-sqlite3";
import express from "express";
import { SignJWT, jwtVerify } from "jose";

const key = new TextEncoder().encode(process.env.SECRET_KEY);
const db = new Database(process.env.DATABASE_PATH);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = NORMAL");
db.exec(`
  CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL UNIQUE,
                      password_hash TEXT NOT NULL, created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
  CREATE TABLE refresh_tokens (hash TEXT PRIMARY KEY, user_id INTEGER NOT NULL, expires_at INTEGER NOT NULL);
  CREATE TABLE blocked_tokens (jti TEXT PRIMARY KEY);
`);
const insertUser = db.prepare("INSERT INTO users (username, email, password_hash) VALUES (?, ?, ?)");
const findUser = db.prepare("SELECT id, password_hash FROM users WHERE username = ? OR email = ?");
const readUser = db.prepare("SELECT id, username, email, created_at FROM users WHERE id = ?");
const insertToken = db.prepare("INSERT INTO refresh_tokens VALUES (?, ?, ?)");
const takeToken = db.prepare("DELETE FROM refresh_tokens WHERE hash = ? AND expires_at > ? RETURNING user_id");
const isBlocked = db.prepare("SELECT 1 FROM blocked_tokens WHERE jti = ?");

const hash = (token) => createHash("sha256").update(token).digest("hex");
const now = () => Math.floor(Date.now() / 1000);

function newRefreshToken(userId) {
  const token = randomBytes(32).toString("base64url");
  insertToken.run(hash(token), userId, now() + 30 * 86400);
  return token;
}

// One transaction, one commit: the old token goes and the new one comes.
const rotate = db.transaction((token) => {
  const taken = takeToken.get(hash(token), now());
  return taken && { userId: taken.user_id, refresh_token: newRefreshToken(taken.user_id) };
});

async function tokens(userId, refresh_token) {
  const access_token = await new SignJWT({})
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(String(userId))
    .setJti(randomBytes(16).toString("hex"))
    .setIssuedAt()
    .setExpirationTime("1d")
    .sign(key);
  return { access_token, refresh_token };
}

async function authenticated(req, res, next) {
  try {
    const { payload } = await jwtVerify((req.get("authorization") ?? "").slice(7), key, { algorithms: ["HS256"] });
    if (isBlocked.get(payload.jti)) return res.status(401).json({ message: "Token has been revoked" });
    req.user = payload;
  } catch {
    return res.status(401).json({ message: "Signature verification failed" });
  }
  next();
}

const app = express();
app.use(express.json());

app.post("/auth/register", async (req, res) => {
  const { username, email, password } = req.body;
  const { lastInsertRowid } = insertUser.run(username, email, await bcrypt.hash(password, 12));
  res.status(201).json({ user_id: lastInsertRowid });
});

app.post("/auth/login", async (req, res) => {
  const user = findUser.get(req.body.identifier, req.body.identifier);
  if (user && (await bcrypt.compare(req.body.password, user.password_hash))) {
    return res.json(await tokens(user.id, newRefreshToken(user.id)));
  }
  res.status(401).json({ message: "Invalid credentials" });
});

app.post("/auth/refresh", async (req, res) => {
  const rotated = rotate(req.body.refresh_token);
  if (rotated) return res.json(await tokens(rotated.userId, rotated.refresh_token));
  res.status(401).json({ message: "Token has been revoked" });
});

app.get("/auth/protected", authenticated, (req, res) => {
  res.json({ message: "You have access", logged_in_as: req.user.sub });
});

app.get("/auth/me", authenticated, (req, res) => res.json(readUser.get(Number(req.user.sub))));

app.listen(Number(process.env.PORT), "127.0.0.1");
