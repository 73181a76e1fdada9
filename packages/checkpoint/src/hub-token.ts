import { host } from '#host';
import { SpikeError } from '@spikellm/backend';

/** What a header may carry: an access token is of such characters only. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * The token that models of the hub are read with; an empty one is none.
 * Errors: INVALID_ARGUMENT, in a sentence that does not say the token.
 */
export function hubToken(): string | undefined {
  const token = host.hubToken();
  if (token === undefined || token === '') return undefined;
  if (TOKEN.test(token)) return token;
  const at = Array.from(token).findIndex((character) => !TOKEN.test(character));
  const code = token.codePointAt(at)!.toString(16).toUpperCase().padStart(4, '0');
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'HF_TOKEN',
    expected: 'an access token of printable ASCII characters, without spaces and line breaks',
    received: `one whose character ${at + 1} is U+${code}`,
    remedy: 'set it again, to the token alone',
  });
}

/** A text without the token, whoever put it in there. */
export function withoutToken(text: string): string {
  const token = host.hubToken();
  return token === undefined || token === '' ? text : text.replaceAll(token, '<token>');
}

/** As many as a browser follows. */
const MAX_REDIRECTS = 20;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * A fetch that reads with the token at the origin of the hub and at no other. What a caller puts into `Authorization` is
 * taken out, and redirects are followed here, each judged by where it leads, so that neither a library nor an answer of
 * the hub decides who gets the token.
 */
export function fetchWithToken(send: typeof fetch, hubUrl: string, token: string): typeof fetch {
  const { origin } = new URL(hubUrl);
  return async (input, init) => {
    let url = new URL(input instanceof Request ? input.url : input);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
      headers.delete('Authorization');
      if (url.origin === origin) headers.set('Authorization', `Bearer ${token}`);
      const response = await send(url, { ...init, headers, redirect: 'manual' });
      const location = response.headers.get('Location');
      if (location === null || !REDIRECTS.includes(response.status)) return response;
      await response.body?.cancel();
      url = new URL(location, url);
    }
    throw new SpikeError('MISSING', {
      where: url.origin,
      expected: `at most ${MAX_REDIRECTS} redirects`,
      received: 'more of them',
      remedy: 'try again later',
    });
  };
}
