import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { now, Twin } from './twin.js';

const copy = new URL('./.readme-example.js', import.meta.url);
let twin, server, example;

before(async () => {
  twin = await new Twin().open();
  // The README's example as it stands there, with another issuer, a free port and names to close it by.
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, code] = /```js\n(import express[^]*?)```/.exec(readme);
  const local = code.replace('https://auth.example.com', twin.url);
  await writeFile(copy, local.replace('app.listen(3000)', 'export { app, verifier }'));
  example = await import(copy.href);
  server = example.app.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

after(async () => {
  example.verifier.close();
  server.close();
  twin.close();
  await rm(copy);
});

async function ask(token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/orders`, { headers });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

test('a good token reaches the route', async () => {
  const { status, body } = await ask(await twin.token({ sub: '42' }));
  assert.deepEqual([status, body], [200, { orders_of: '42' }]);
});

test('without a token the answer is that of Gatehouse', async () => {
  const { status, headers, body } = await ask();
  assert.deepEqual([status, body.code, body.message], [401, 'token_missing', 'Missing Authorization Header']);
  assert.equal(headers.get('WWW-Authenticate'), 'Bearer');
  assert.equal(headers.get('Content-Type'), 'application/problem+json');
});

test('a bad token is answered with its code', async () => {
  const { status, headers, body } = await ask(await twin.token({ exp: now() - 31 }));
  assert.deepEqual([status, body.status, body.code], [401, 401, 'token_expired']);
  assert.equal(headers.get('WWW-Authenticate'), 'Bearer error="invalid_token"');
});
