// A user logs in at an OpenID provider's pages, and the app gets the tokens with
// openid-client: authorization code with PKCE (RFC 7636), state, nonce and the resource
// (RFC 8707). It prints the tokens as JSON.
import * as client from 'openid-client';

const [issuer, resource, username] = process.argv.slice(2);

// Browser has cookies, and goes where it is sent until that is the app.
class Browser {
  cookies = new Map();

  async go(url, form) {
    for (let hops = 0; hops < 20; hops += 1) {
      const response = await fetch(url, {
        redirect: 'manual', method: form ? 'POST' : 'GET',
        headers: { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        body: form && new URLSearchParams(form),
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        if (value) this.cookies.set(name, value);
        else this.cookies.delete(name);
      }
      if (response.status < 300 || response.status > 399) {
        if (!response.ok) throw new Error(`${url} is answered ${response.status}: ${await response.text()}`);
        return { url, page: await response.text() };
      }
      url = new URL(response.headers.get('location'), url);
      form = undefined;
      if (url.pathname === '/callback') return { url };
    }
    throw new Error('too many redirects');
  }
}

const config = await client.discovery(new URL(issuer), 'page', undefined, client.None(), {
  execute: [client.allowInsecureRequests],
});
const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const browser = new Browser();
let shown = await browser.go(client.buildAuthorizationUrl(config, {
  redirect_uri: 'http://127.0.0.1/callback', scope: 'openid contacts.read', resource, state, nonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
}));
for (let pages = 0; shown.page !== undefined; pages += 1) {
  if (pages === 3) throw new Error(`one page too many: ${shown.page}`);
  const [, action] = /action="([^"]+)"/.exec(shown.page);
  const [, prompt] = /name="prompt" value="([^"]+)"/.exec(shown.page);
  shown = await browser.go(new URL(action, shown.url), { prompt, login: username, password: 'any' });
}
const tokens = await client.authorizationCodeGrant(config, shown.url, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce,
}, { resource });
console.log(JSON.stringify({ access_token: tokens.access_token, id_token: tokens.id_token }));
