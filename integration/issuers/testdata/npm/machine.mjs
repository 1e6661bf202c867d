// A machine gets its token with oauth4webapi: client_credentials (RFC 6749 §4.4) with the
// resource (RFC 8707), then calls the app, whose URL is the last argument, and prints the
// token and the answer's status as JSON.
import * as oauth from 'oauth4webapi';

const [issuer, resource, app] = process.argv.slice(2);
const insecure = { [oauth.allowInsecureRequests]: true };

const url = new URL(issuer);
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
const client = { client_id: 'machine' };
const response = await oauth.clientCredentialsGrantRequest(
  server, client, oauth.ClientSecretBasic('machine-secret'),
  new URLSearchParams({ scope: 'contacts.read', resource }), insecure,
);
const tokens = await oauth.processClientCredentialsResponse(server, client, response);
let status;
try {
  const answer = await oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(app), undefined, undefined, insecure);
  status = answer.status;
} catch (error) {
  status = error.status; // of a challenge (RFC 6750 §3)
}
console.log(JSON.stringify({ access_token: tokens.access_token, status }));
