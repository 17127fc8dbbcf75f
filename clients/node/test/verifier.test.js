import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Refused, Stale, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked, Verifier } from 'gatehouse-verify';

import { makeKey, now, Twin } from './twin.js';

let twin, verifiers;

beforeEach(async () => {
  twin = await new Twin().open();
  verifiers = [];
});

afterEach(() => {
  for (const verifier of verifiers) verifier.close();
  twin.close();
});

/** A verifier of the twin that looks every 50 ms; any setting can be given. */
function makeVerifier(settings = {}) {
  const verifier = new Verifier(twin.url, { pollSeconds: 0.05, timeoutSeconds: 20, warn: () => {}, ...settings });
  verifiers.push(verifier);
  return verifier;
}

/** The kind of problem a token meets, or undefined when it is accepted. */
async function refused(verifier, token) {
  try {
    await verifier.verify(await token);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.constructor;
  }
}

/** Wait until a condition holds, for at most 30 seconds. */
async function eventually(condition) {
  for (const ends = Date.now() + 30_000; !(await condition()); await sleep(20)) {
    assert.ok(Date.now() < ends, 'it never happened');
  }
}

for (const algorithm of ['EdDSA', 'ES256', 'RS256']) {
  test(`a good ${algorithm} token gives its claims`, async () => {
    twin.keys = [await makeKey('only', algorithm)];
    const claims = await makeVerifier().verify(await twin.token({ sub: '42' }));
    assert.deepEqual([claims.sub, claims.roles], ['42', ['user']]);
  });
}

const missing = ['iss', 'aud', 'sub', 'iat', 'exp', 'jti', 'sid'].map((name) => ({ [name]: undefined }));
for (const wrong of [
  { iss: 'http://127.0.0.1' },
  { aud: 'another' },
  { aud: ['gatehouse'] },
  { sub: 7 },
  { sid: ['s1'] },
  { iat: now() + 3600 },
  { nbf: now() + 3600 },
  ...missing,
]) {
  test(`a token with the claim ${Object.keys(wrong)}: ${Object.values(wrong)} is invalid`, async () => {
    assert.equal(await refused(makeVerifier(), twin.token(wrong)), TokenInvalid);
  });
}

for (const typ of ['JWT', 'revocations+jwt', undefined]) {
  test(`a token of type ${typ} is invalid`, async () => {
    assert.equal(await refused(makeVerifier(), twin.token({}, { typ })), TokenInvalid);
  });
}

for (const token of ['', 'a', 'a.b.c', '..', 'é.é.é', `${'W'.repeat(100_000)}.e30.AA`, undefined, null, 7, {}]) {
  test(`${String(token).slice(0, 9)} is not a token`, async () => {
    assert.equal(await refused(makeVerifier(), token), TokenInvalid);
  });
}

test('a token without a signature, or signed with the public key as a secret, is invalid', async () => {
  for (const alg of ['none', 'HS256']) {
    const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid: 'first' })).toString('base64url');
    const [, claims] = (await twin.token()).split('.');
    assert.equal(await refused(makeVerifier(), `${header}.${claims}.AAAA`), TokenInvalid);
  }
});

test('a key serves only its own algorithm', async () => {
  const impostor = await makeKey('first', 'ES256');
  assert.equal(await refused(makeVerifier(), twin.token({}, {}, impostor)), TokenInvalid);
});

test('a key sent along in the header is not believed', async () => {
  const impostor = await makeKey('first');
  const header = { jwk: impostor.jwk, jku: `${twin.url}/mine.json` };
  assert.equal(await refused(makeVerifier(), twin.token({}, header, impostor)), TokenInvalid);
  assert.ok(!twin.asked.includes('/mine.json'));
});

test('a token past its end is expired, a small difference of clocks is forgiven', async () => {
  assert.equal(await refused(makeVerifier(), twin.token({ exp: now() - 31 })), TokenExpired);
  assert.equal(await refused(makeVerifier({ leewaySeconds: 30 }), twin.token({ exp: now() - 1 })), undefined);
});

for (const ended of ['s1', 'j1']) {
  test(`revoking ${ended} is seen soon`, async () => {
    const verifier = makeVerifier();
    assert.equal(await refused(verifier, twin.token()), undefined);
    twin.revoked[ended] = now() + 900;
    await eventually(async () => (await refused(verifier, twin.token())) === TokenRevoked);
  });
}

test('a token older than the list reaches back must be refreshed', async () => {
  twin.completeSince = now() - 100;
  const verifier = makeVerifier();
  assert.equal(await refused(verifier, twin.token({ iat: twin.completeSince - 1 })), TokenExpired);
  assert.equal(await refused(verifier, twin.token({ iat: twin.completeSince })), undefined);
});

test('not one request goes to the service per verification', async () => {
  const verifier = makeVerifier({ pollSeconds: 50 });
  assert.deepEqual(twin.asked, []);
  const token = await twin.token();
  await Promise.all(Array.from({ length: 200 }, () => verifier.verify(token)));
  assert.deepEqual(twin.asked, ['/.well-known/jwks.json', '/.well-known/revocations']);
});

test('what was fetched serves on while the service is away', async () => {
  const verifier = await started();
  twin.away = true;
  const seen = twin.asked.length;
  await eventually(() => twin.asked.length > seen + 2);
  assert.equal(await refused(verifier, twin.token()), undefined);
});

test('past the bound every token is refused until the service is back', async () => {
  const verifier = makeVerifier({ staleAfterSeconds: 0.5 });
  await eventually(async () => (await refused(verifier, twin.token())) === undefined);
  twin.away = true;
  await eventually(async () => (await refused(verifier, twin.token())) === Stale);
  twin.away = false;
  await eventually(async () => (await refused(verifier, twin.token())) === undefined);
});

test('trouble is told once, and so is its end', async () => {
  const told = [];
  const verifier = await started({ warn: (message) => told.push(message) });
  twin.away = true;
  const seen = twin.asked.length;
  await eventually(() => twin.asked.length > seen + 3);
  twin.away = false;
  await eventually(() => told.length > 1);
  verifier.close();
  assert.match(told.join('\n'), /^.*revocations cannot be refreshed.*503\n.*revocations is refreshed again$/);
});

test('what is wrong with a document is told', async () => {
  const told = [];
  const elsewhere = new Verifier('https://elsewhere.example.com', {
    serviceUrl: twin.url,
    timeoutSeconds: 20,
    warn: (message) => told.push(message),
  });
  verifiers.push(elsewhere);
  await elsewhere.start();
  assert.match(told.join(), /revocations cannot be refreshed: .*"iss"/);
});

test('revocations past their own end, or of another type, are not relied on', async () => {
  twin.signedAgo = 200;
  assert.equal(await refused(makeVerifier(), twin.token()), Stale);
  twin.signedAgo = 0;
  twin.listType = 'at+jwt';
  assert.equal(await refused(makeVerifier(), twin.token()), Stale);
});

test('a new key is found and an old one forgotten', async () => {
  const verifier = makeVerifier({ staleAfterSeconds: 2 });
  const before = await twin.token();
  twin.keys.push(await makeKey('second'));
  await eventually(async () => (await refused(verifier, twin.token())) === undefined);
  await eventually(async () => (await refused(verifier, before)) === undefined);
  twin.keys.shift();
  await eventually(async () => (await refused(verifier, before)) === TokenInvalid);
});

test('an unusable key or a shared secret does not count', async () => {
  twin.keys[0].jwk = { kty: 'oct', k: 'c2VjcmV0', kid: 'first', alg: 'HS256' };
  assert.equal(await refused(makeVerifier(), twin.token()), Stale);
  twin.keys.push(await makeKey('second'));
  assert.equal(await refused(makeVerifier(), twin.token()), undefined);
});

test('a key that cannot be loaded does not take the others with it', async () => {
  for (const jwk of [{ kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'odd', alg: 'EdDSA' }, null]) twin.keys.unshift({ jwk });
  assert.equal(await refused(makeVerifier(), twin.token()), undefined);
});

test('forged key names do not multiply requests', async () => {
  const verifier = await started({ pollSeconds: 50 });
  const key = await makeKey('forged');
  for (let number = 0; number < 100; number++) {
    assert.equal(await refused(verifier, twin.token({}, { kid: `forged-${number}` }, key)), TokenInvalid);
  }
  // One request at the start and at most one in five seconds since; the loop takes less than a minute.
  assert.ok(twin.asked.filter((path) => path.endsWith('jwks.json')).length < 14);
});

test('a header without a Bearer token is missing', async () => {
  const verifier = makeVerifier();
  for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic YTpi', 'token']) {
    await assert.rejects(verifier.verifyHeader(header), TokenMissing);
  }
  assert.equal((await verifier.verifyHeader(`bEARER ${await twin.token()}`)).sub, '7');
});

const unsafeSettings = [{ leewaySeconds: 31 }, { leewaySeconds: -1 }, { pollSeconds: 0 }, { serviceUrl: 'file:///etc' }];
for (const unsafe of unsafeSettings) {
  test(`${JSON.stringify(unsafe)} is refused at once`, () => {
    assert.throws(() => new Verifier('https://auth.example.com', unsafe), RangeError);
  });
}

async function started(settings) {
  const verifier = makeVerifier(settings);
  await verifier.start();
  return verifier;
}
