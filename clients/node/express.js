/** Express, Connect or plain node:http: `app.use(protect(verifier))`, and the claims are in `request.claims`. */

import { Refused } from './problems.js';

/** A middleware that lets only requests with a good token pass, and answers the others. */
export function protect(verifier) {
  return async (request, response, next) => {
    try {
      request.claims = await verifier.verifyHeader(request.headers.authorization);
    } catch (error) {
      if (!(error instanceof Refused)) return next(error);
      response.writeHead(error.status, { ...error.headers, 'Content-Type': 'application/problem+json' });
      return response.end(JSON.stringify(error.body));
    }
    next();
  };
}
