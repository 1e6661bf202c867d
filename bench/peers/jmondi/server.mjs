// A peer of bench: a token server of @jmondi/oauth2-server 4.3.7, put together as its documentation shows, with
// repositories in memory and HS256 JWTs.
//
//   node server.mjs --listen 127.0.0.1:8080 [--http express|node] [--key string|keyobject] [--refresh jwt|opaque]
//
// The defaults are what its documentation does: express, a secret that is a string, refresh tokens that are JWTs. What
// favours it:
//   - With --http node there is no framework, only node:http around the library.
//   - With --key keyobject the secret is a KeyObject. From a string jsonwebtoken makes
//     a KeyObject for every token, after trying to read a PEM in it.
//   - With --refresh opaque one JWT is signed for each answer instead of two.
//   - Express adds no ETag and no X-Powered-By, and parses only the form of /token.
//   - The oldest tokens are forgotten when there are too many.
import { createSecretKey, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { parse } from "node:querystring";
import { parseArgs } from "node:util";
import {
  AuthorizationServer,
  DateInterval,
  ErrorType,
  JwtService,
  OAuthException,
  OAuthRequest,
  generateRandomToken,
  isOAuthError,
} from "@jmondi/oauth2-server";
import { handleExpressError, handleExpressResponse, requestFromExpress } from "@jmondi/oauth2-server/express";
import express from "express";
import { clientID, isClientSecret, knowsUser } from "../shared/credentials.mjs";
import { Generations } from "../shared/generations.mjs";

const { values: flags } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:8080" },
    http: { type: "string", default: "express" },
    key: { type: "string", default: "string" },
    refresh: { type: "string", default: "jwt" },
  },
});

// choose is one of the choices of a flag.
function choose(flag, choices) {
  const choice = choices[flags[flag]];
  if (!choice) throw new Error(`--${flag} is one of ${Object.keys(choices).join(", ")}`);
  return choice;
}

const read = { name: "read" };
const client = {
  id: clientID,
  name: "bench",
  secret: "see isClientValid", // having one makes the client confidential
  redirectUris: [],
  allowedGrants: ["password", "refresh_token"],
  scopes: [read],
};

const clientRepository = {
  async getByIdentifier(id) {
    return id === client.id ? client : undefined;
  },
  async isClientValid(grantType, { allowedGrants }, secret) {
    return allowedGrants.includes(grantType) && isClientSecret(secret);
  },
};

const userRepository = {
  async getUserByCredentials(username, password) {
    return knowsUser(username, password) ? { id: username } : undefined;
  },
};

const scopeRepository = {
  async getAllByIdentifiers(names) {
    return names.includes(read.name) ? [read] : [];
  },
  async finalize(scopes) {
    return scopes;
  },
};

const accessTTL = new DateInterval("1h");
const refreshTTL = new DateInterval("2w");
const accessTokens = new Generations();
const refreshTokens = new Generations();

const tokenRepository = {
  async issueToken(client, scopes, user) {
    return {
      accessToken: generateRandomToken(),
      accessTokenExpiresAt: accessTTL.getEndDate(),
      refreshToken: null,
      refreshTokenExpiresAt: null,
      client,
      user,
      scopes,
    };
  },
  async issueRefreshToken(token) {
    token.refreshToken = generateRandomToken();
    token.refreshTokenExpiresAt = refreshTTL.getEndDate();
    refreshTokens.set(token.refreshToken, token);
    return token;
  },
  async persist(token) {
    accessTokens.set(token.accessToken, token);
  },
  async revoke(token) {
    accessTokens.delete(token.accessToken);
    refreshTokens.delete(token.refreshToken);
  },
  async isRefreshTokenRevoked(token) {
    return refreshTokens.get(token.refreshToken) !== token;
  },
  async getByRefreshToken(refreshToken) {
    const token = refreshTokens.get(refreshToken);
    if (!token) throw OAuthException.invalidParameter("refresh_token", "Token has been revoked");
    return token;
  },
};

const secret = randomBytes(32).toString("base64");
const authorizationServer = new AuthorizationServer(
  clientRepository,
  tokenRepository,
  scopeRepository,
  choose("key", { string: () => secret, keyobject: () => new JwtService(createSecretKey(secret, "utf8")) })(),
  choose("refresh", { jwt: {}, opaque: { useOpaqueRefreshTokens: true } }),
);
authorizationServer.enableGrantTypes([{ grant: "password", userRepository }, accessTTL], ["refresh_token", accessTTL]);

function withExpress() {
  const app = express();
  app.disable("etag");
  app.disable("x-powered-by");
  app.post("/token", express.urlencoded({ extended: false }), async (req, res) => {
    try {
      handleExpressResponse(res, await authorizationServer.respondToAccessTokenRequest(requestFromExpress(req)));
    } catch (e) {
      handleExpressError(e, res);
    }
  });
  app.get("/ready", (_req, res) => {
    res.send("ready");
  });
  return app;
}

async function withNode(req, res) {
  if (req.url === "/ready") return res.end("ready");
  if (req.url !== "/token" || req.method !== "POST") return res.writeHead(404).end();
  try {
    const request = new OAuthRequest({ headers: req.headers, query: {}, body: parse(await content(req)) });
    const answer = await authorizationServer.respondToAccessTokenRequest(request);
    send(res, answer.status, answer.headers, answer.body);
  } catch (e) {
    const [status, error] = isOAuthError(e) ? [e.status, e.errorType] : [500, "server_error"];
    send(res, status, { "content-type": "application/json; charset=UTF-8" }, { error, error_description: e.message });
  }
}

// content reads a body by its events: iterating over the stream is slower.
function content(req) {
  return new Promise((resolve, reject) => {
    let text = "";
    req.setEncoding("utf8");
    req.on("data", (chunk) => {
      text += chunk;
      if (text.length > 100 << 10) reject(new OAuthException("the body is too large", ErrorType.InvalidRequest));
    });
    req.on("end", () => resolve(text));
    req.on("error", reject);
  });
}

function send(res, status, headers, body) {
  const content = JSON.stringify(body);
  res.writeHead(status, { ...headers, "content-length": Buffer.byteLength(content) }).end(content);
}

const handler = choose("http", { express: withExpress, node: () => withNode })();
const [host, port] = flags.listen.split(":");
createServer(handler).listen(Number(port), host);
