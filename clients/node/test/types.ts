// Compiled, not run: the declarations fit the uses that the README shows.
import { Refused, TokenExpired, Verifier, type Claims } from 'gatehouse-verify';
import { protect } from 'gatehouse-verify/express';

const verifier = new Verifier('https://auth.example.com', { audience: 'orders', staleAfterSeconds: 30 });

export async function owner(token: string): Promise<string> {
  try {
    const claims: Claims = await verifier.verify(token);
    return claims.roles?.join() ?? claims.sub;
  } catch (error) {
    if (error instanceof TokenExpired) return error.code;
    throw error instanceof Refused ? new Error(error.reason) : error;
  }
}

type Handler = (request: Express.Request & { headers: {} }, response: any, next: () => void) => unknown;
declare function use(handler: Handler): void;
use(protect(verifier));
// @ts-expect-error the setting has another name
new Verifier('https://auth.example.com', { leeway: 3 });
