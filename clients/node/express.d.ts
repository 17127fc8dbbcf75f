import type { Claims, Verifier } from './index.js';

declare global {
  namespace Express {
    interface Request {
      claims?: Claims;
    }
  }
}

interface Request {
  headers: { authorization?: string };
  claims?: Claims;
}

interface Response {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

/** A middleware that lets only requests with a good token pass, and answers the others. */
export function protect(
  verifier: Verifier,
): (request: Request, response: Response, next: (error?: unknown) => void) => Promise<void>;
