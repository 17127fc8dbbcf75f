// better-auth as its documentation builds it: email and password, better-sqlite3, its own routes on a Node server.
// A session is a signed cookie and a row that each request reads; it has no refresh tokens.
import { createServer } from "node:http";
import bcrypt from "bcrypt";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";

const database = new Database(process.env.DATABASE_PATH);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = NORMAL");

const auth = betterAuth({
  database,
  secret: process.env.SECRET_KEY,
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  emailAndPassword: {
    enabled: true,
    // Its default is scrypt; bcrypt at cost 12 makes the logins of all peers the same work.
    password: {
      hash: (password) => bcrypt.hash(password, 12),
      verify: ({ hash, password }) => bcrypt.compare(password, hash),
    },
  },
});

await (await getMigrations(auth.options)).runMigrations();
createServer(toNodeHandler(auth)).listen(Number(process.env.PORT), "127.0.0.1");
