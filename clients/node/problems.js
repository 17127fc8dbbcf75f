/**
 * What can go wrong, one class a problem, with the codes and sentences of Gatehouse itself.
 *
 * Refused
 * ├── TokenMissing   401 token_missing
 * ├── TokenInvalid   401 token_invalid
 * ├── TokenExpired   401 token_expired
 * ├── TokenRevoked   401 token_revoked
 * └── Stale          503 unavailable
 */

/** The token is not accepted. `status`, `headers` and `body` are a finished answer; `reason` is for logs only. */
export class Refused extends Error {
  status = 401;
  title = 'Unauthorized';
  code = 'token_invalid';
  headers = { 'WWW-Authenticate': 'Bearer error="invalid_token"' }; // RFC 6750 section 3

  constructor(reason = '', message = 'Signature verification failed') {
    super(message);
    this.name = this.constructor.name;
    this.reason = reason;
  }

  /** The problem document (RFC 9457), shaped like the errors of Gatehouse. */
  get body() {
    const { title, status, code, message } = this;
    return { type: 'about:blank', title, status, detail: message, code, message };
  }
}

/** The request carries no Bearer token. */
export class TokenMissing extends Refused {
  code = 'token_missing';
  headers = { 'WWW-Authenticate': 'Bearer' };

  constructor() {
    super('', 'Missing Authorization Header');
  }
}

/** The token is not one that this issuer made for this audience. */
export class TokenInvalid extends Refused {}

/** The token has to be refreshed: it is past `exp`, or older than the list of revocations reaches back. */
export class TokenExpired extends Refused {
  code = 'token_expired';

  constructor(reason) {
    super(reason, 'Token has expired');
  }
}

/** The session, or this token alone, was ended before its time. */
export class TokenRevoked extends Refused {
  code = 'token_revoked';

  constructor() {
    super('', 'Token has been revoked');
  }
}

/** The keys or revocations in hand are too old to rely on: nothing is accepted until the service answers again. */
export class Stale extends Refused {
  status = 503;
  title = 'Service Unavailable';
  code = 'unavailable';
  headers = { 'Retry-After': '5' };

  constructor(reason) {
    super(reason, 'Tokens cannot be verified at the moment');
  }
}
