/** Verify Gatehouse access tokens offline: `new Verifier(issuer).verify(token)` gives claims or rejects with `Refused`. */

export { Refused, Stale, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked } from './problems.js';
export { Verifier } from './verifier.js';
