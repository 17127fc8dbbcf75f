/** What a verified token says; `sub` is the id of the account. The first seven are always there, the others usually. */
export interface Claims {
  iss: string;
  aud: string;
  sub: string;
  iat: number;
  exp: number;
  jti: string;
  sid: string;
  auth_time?: number;
  amr?: string[];
  acr?: string;
  preferred_username?: string;
  roles?: string[];
}

export interface Settings {
  /** JWT_AUDIENCE of the service; "gatehouse". */
  audience?: string;
  /** Where to fetch, when the service is reached by another address than its public one. */
  serviceUrl?: string;
  /** Clock difference forgiven, at most 30; 10. */
  leewaySeconds?: number;
  /** How often revocations are asked for; 2. */
  pollSeconds?: number;
  /** How long what was fetched is relied on while the service is away; then every token is refused with Stale; 60. */
  staleAfterSeconds?: number;
  /** Of one request; 2. */
  timeoutSeconds?: number;
  /** Told once when a document cannot be refreshed, and once when it can again; console.warn. */
  warn?: (message: string) => void;
}

export class Verifier {
  /** Takes the issuer, PUBLIC_URL of the service. Throws RangeError for an unsafe setting. No network yet. */
  constructor(issuer: string, settings?: Settings);
  /** Fetches now rather than at the first token. Never rejects. */
  start(): Promise<void>;
  /** Ends the refreshing in the background. */
  close(): void;
  /** Rejects with TokenInvalid, TokenExpired, TokenRevoked or Stale. */
  verify(token: string): Promise<Claims>;
  /** The same for an Authorization header; rejects with TokenMissing as well. */
  verifyHeader(authorization: string | undefined): Promise<Claims>;
}

/** Every refusal: a finished HTTP answer, and a `reason` for logs only. */
export class Refused extends Error {
  readonly status: number;
  readonly title: string;
  readonly code: 'token_missing' | 'token_invalid' | 'token_expired' | 'token_revoked' | 'unavailable';
  readonly headers: Record<string, string>;
  readonly body: Record<string, string | number>;
  readonly reason: string;
}
export class TokenMissing extends Refused {}
export class TokenInvalid extends Refused {}
export class TokenExpired extends Refused {}
export class TokenRevoked extends Refused {}
export class Stale extends Refused {}
