/** A twin of what Gatehouse publishes, small enough to be made to lie, age and fall silent at a test's word. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** A signing key, and its public half as a JWK. */
export async function makeKey(kid, alg = 'EdDSA') {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export const now = () => Math.floor(Date.now() / 1000);

/** The two documents on a loopback port. `asked` lists every request; while `away` all are answered 503. */
export class Twin {
  revoked = {};
  completeSince = 0;
  signedAgo = 0;
  listType = 'revocations+jwt';
  away = false;
  asked = [];

  async open() {
    this.keys = [await makeKey('first')];
    this.server = createServer((request, response) => this.#answer(request, response)).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #answer({ url, headers }, response) {
    this.asked.push(url);
    if (this.away) return response.writeHead(503).end();
    const body = await this.#document(url);
    const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
    const known = headers['if-none-match'] === etag;
    response.writeHead(known ? 304 : 200, { ETag: etag }).end(known ? '' : body);
  }

  #document(url) {
    if (url === '/.well-known/jwks.json') return JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) });
    const iat = now() - this.signedAgo;
    const claims = { iss: this.url, iat, exp: iat + 120, revoked: this.revoked, complete_since: this.completeSince };
    return this.sign(claims, { typ: this.listType });
  }

  sign(claims, header = {}, { kid, alg, privateKey } = this.keys.at(-1)) {
    return new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header }).sign(privateKey);
  }

  /** A good access token; a change to undefined leaves that claim out. */
  token(changes = {}, header = {}, key = undefined) {
    const times = { iat: now(), exp: now() + 900 };
    const claims = { iss: this.url, aud: 'gatehouse', sub: '7', ...times, jti: 'j1', sid: 's1', roles: ['user'] };
    return this.sign({ ...claims, ...changes }, header, key);
  }
}
