// Run by tests/clients/test_node_client.py with a running service:  node live.js ISSUER SERVICE_URL AUDIENCE TOKEN
// Prints what the token says after 100 verifications; then, once a line comes in, how the token is refused at last.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { Refused, Verifier } from 'gatehouse-verify';

const [issuer, serviceUrl, audience, token] = process.argv.slice(2);
const verifier = new Verifier(issuer, { serviceUrl, audience, timeoutSeconds: 20 });
const say = (content) => console.log(JSON.stringify(content));

try {
  for (let count = 1; count < 100; count++) await verifier.verify(token);
  say(await verifier.verify(token));
  await once(process.stdin, 'data');
  for (;;) {
    await verifier.verify(token);
    await sleep(50);
  }
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  say(error.body);
}
process.exit();
