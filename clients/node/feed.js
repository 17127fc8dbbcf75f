/** One document of the service: fetched, confirmed by its ETag (RFC 9110 section 13), kept while nobody answers. */

import { Stale } from './problems.js';

const seconds = () => performance.now() / 1000;

export class Feed {
  #url;
  #read;
  #timeoutSeconds;
  #warn;
  #etag = '';
  #content;
  #asked = -Infinity;
  #confirmed = -Infinity;
  #asking;
  #failing = false;

  /** Take the address and `read`, which turns the text of an answer into the content or rejects. */
  constructor(url, read, timeoutSeconds, warn) {
    this.#url = url;
    this.#read = read;
    this.#timeoutSeconds = timeoutSeconds;
    this.#warn = warn;
  }

  /** The content; throws Stale when the service last stood by it more than `staleAfterSeconds` ago. */
  held(staleAfterSeconds) {
    if (seconds() - this.#confirmed > staleAfterSeconds) throw new Stale(`${this.#url} has no fresh answer`);
    return this.#content;
  }

  /** Ask the service, unless it was asked less than `atMostEverySeconds` ago. All share a request. Never rejects. */
  refresh(atMostEverySeconds = 0) {
    if (!this.#asking && seconds() - this.#asked >= atMostEverySeconds) {
      this.#asking = this.#ask().finally(() => (this.#asking = undefined));
    }
    return this.#asking;
  }

  async #ask() {
    const asked = (this.#asked = seconds());
    try {
      await this.#fetch();
      this.#confirmed = asked;
      if (this.#failing) this.#warn(`gatehouse-verify: ${this.#url} is refreshed again`);
      this.#failing = false;
    } catch (error) {
      // Whatever is wrong with an answer, the content in hand stays, and its age alone decides how long.
      // A Refused shows a sentence for everybody; what was wrong with the document is its reason.
      const why = error.reason || error.cause || error;
      if (!this.#failing) this.#warn(`gatehouse-verify: ${this.#url} cannot be refreshed: ${why}`);
      this.#failing = true;
    }
  }

  async #fetch() {
    const response = await fetch(this.#url, {
      headers: this.#etag ? { 'If-None-Match': this.#etag } : {},
      redirect: 'error', // only this address is believed
      signal: AbortSignal.timeout(this.#timeoutSeconds * 1000),
    });
    const text = await response.text();
    if (response.status === 304) return;
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    this.#content = await this.#read(text);
    this.#etag = response.headers.get('ETag') ?? '';
  }
}
