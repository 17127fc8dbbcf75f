/** Verify access tokens (RFC 9068) offline: keys and revocations are fetched in the background, never per token. */

import { errors, importJWK, jwtVerify } from 'jose';

import { Feed } from './feed.js';
import { Stale, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked } from './problems.js';

const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'];
const KEY_COOLDOWN_SECONDS = 5;
const DEFAULTS = {
  audience: 'gatehouse',
  leewaySeconds: 10,
  pollSeconds: 2,
  staleAfterSeconds: 60,
  timeoutSeconds: 2,
  warn: (message) => console.warn(message),
};

/** Verifies the tokens of one issuer for one audience. One for the whole process. */
export class Verifier {
  #settings;
  #keys;
  #revocations;
  #started;
  #timer;
  #closed = false;

  /** Take the issuer (PUBLIC_URL of the service) and settings; index.d.ts says what each means. No network yet. */
  constructor(issuer, settings = {}) {
    this.#settings = { ...DEFAULTS, issuer, serviceUrl: issuer, ...settings };
    const { serviceUrl, leewaySeconds, pollSeconds, staleAfterSeconds, timeoutSeconds, warn } = this.#settings;
    demand(/^https?:\/\//.test(serviceUrl), 'the service is reached by https, or by http inside a trusted network');
    demand(leewaySeconds >= 0 && leewaySeconds <= 30, 'leewaySeconds is between 0 and 30');
    demand(pollSeconds > 0 && pollSeconds < staleAfterSeconds, 'pollSeconds is positive, below staleAfterSeconds');
    const feed = (path, read) => new Feed(serviceUrl.replace(/\/$/, '') + path, read, timeoutSeconds, warn);
    this.#keys = feed('/.well-known/jwks.json', readKeys);
    this.#revocations = feed('/.well-known/revocations', (text) =>
      this.#read(text, 'revocations+jwt', ['revoked', 'complete_since']),
    );
  }

  /** Fetch now rather than at the first token. Never rejects: a service that is away is asked again. */
  start() {
    return (this.#started ??= this.#poll());
  }

  /** End the refreshing in the background. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** The claims of an access token; rejects with TokenInvalid, TokenExpired, TokenRevoked or Stale. */
  async verify(token) {
    await this.start();
    const { revoked, complete_since, exp } = this.#revocations.held(this.#settings.staleAfterSeconds);
    if (now() > exp + this.#settings.leewaySeconds) throw new Stale('the revocations have expired');
    const claims = await this.#read(token, 'at+jwt', ['aud', 'sub', 'jti', 'sid']);
    if (claims.aud !== this.#settings.audience) throw new TokenInvalid('another audience');
    const ids = [claims.sub, claims.jti, claims.sid];
    if (!ids.every((id) => typeof id === 'string')) throw new TokenInvalid('an id is not a string');
    if (Object.hasOwn(revoked, claims.sid) || Object.hasOwn(revoked, claims.jti)) throw new TokenRevoked();
    if (claims.iat < complete_since) throw new TokenExpired('older than the list of revocations reaches back');
    return claims;
  }

  /** The claims of the token in an Authorization header (RFC 6750); rejects like verify, or with TokenMissing. */
  async verifyHeader(authorization) {
    const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (!token) throw new TokenMissing();
    return this.verify(token);
  }

  /** The claims of a JWT of this issuer and type (RFC 8725); rejects with a Refused. */
  async #read(token, typ, required) {
    const { issuer, leewaySeconds } = this.#settings;
    try {
      const { payload } = await jwtVerify(token, (header) => this.#key(header), {
        algorithms: ALGORITHMS,
        typ,
        issuer,
        clockTolerance: leewaySeconds,
        requiredClaims: ['iat', 'exp', ...required],
      });
      if (payload.iat > now() + leewaySeconds) throw new TokenInvalid('not yet issued');
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new TokenExpired(error.message);
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw new TokenInvalid(error.message);
      throw error;
    }
  }

  async #key({ kid, alg }) {
    const { staleAfterSeconds } = this.#settings;
    if (!this.#keys.held(staleAfterSeconds).has(kid)) {
      // The service may just have rotated. Forged kids cannot make this busy: at most one request in five seconds.
      await this.#keys.refresh(KEY_COOLDOWN_SECONDS);
    }
    const found = this.#keys.held(staleAfterSeconds).get(kid);
    if (found?.alg !== alg) throw new TokenInvalid('unknown key, or not its algorithm');
    return found.key;
  }

  async #poll() {
    await this.#keys.refresh(this.#settings.staleAfterSeconds / 4);
    await this.#revocations.refresh();
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#poll(), this.#settings.pollSeconds * 1000);
    this.#timer.unref(); // a process that has nothing else to do may end
  }
}

const now = () => Date.now() / 1000;

function demand(holds, rule) {
  if (!holds) throw new RangeError(rule);
}

/** The usable keys of a JWK set (RFC 7517) by `kid`, each bound to its one algorithm (RFC 8725 section 3.1). */
async function readKeys(text) {
  const keys = new Map();
  for (const jwk of JSON.parse(text).keys) {
    const key = await usable(jwk);
    if (key) keys.set(jwk.kid, key);
  }
  if (!keys.size) throw new Error('no usable key');
  return keys;
}

/** A key that can be used here, or undefined: one that this version cannot load must not take the others with it. */
async function usable(jwk) {
  try {
    const { kid, alg, use = 'sig' } = jwk;
    return kid && use === 'sig' && ALGORITHMS.includes(alg) ? { alg, key: await importJWK(jwk) } : undefined;
  } catch {
    return undefined;
  }
}
