// An OpenID provider of node's oidc-provider for the tests: it signs JWT access tokens
// for the resource of the tests (RFC 8707, RFC 9068), to a user by authorization code with
// PKCE and to a client by client_credentials, and ID tokens.
// It takes its port, the resource and the file of its private keys (a JWKS, which signs
// with the first of an algorithm): another file is a rotation.
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, resource, keys] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  cookies: { keys: ['a secret of the tests'] },
  clients: [
    {
      client_id: 'page', token_endpoint_auth_method: 'none', application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'], grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'], id_token_signed_response_alg: 'ES256',
    },
    {
      client_id: 'machine', client_secret: 'machine-secret', redirect_uris: [], response_types: [],
      grant_types: ['client_credentials'], id_token_signed_response_alg: 'ES256',
    },
  ],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, indicator) => {
        if (indicator !== resource) throw new Error('an unknown resource');
        return {
          scope: 'contacts.read contacts.write', audience: resource,
          accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } },
        };
      },
    },
  },
});

provider.listen(Number(port), '127.0.0.1');
