// A peer of bench: a token server of @node-oauth/oauth2-server 5.3.0 on express, with
// its own wrapper for it (@node-oauth/express-oauth-server 4.2.0) and a model in
// memory. The model makes access tokens that are HS256 JWTs, with jsonwebtoken 9.0.3;
// refresh tokens are random, as the library makes them.
//
//   node server.mjs --listen 127.0.0.1:8080 [--key string|keyobject]
//
// What favours it:
//   - With --key keyobject the secret is a KeyObject. From a string jsonwebtoken makes
//     a KeyObject for every token, after trying to read a PEM in it.
//   - Express adds no ETag and no X-Powered-By, and parses only the form of /token.
//   - Access tokens are not stored, only what came with a refresh token; the oldest of
//     that is forgotten when there is too much.
import { createSecretKey, randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import OAuthServer from "@node-oauth/express-oauth-server";
import express from "express";
import jwt from "jsonwebtoken";
import { clientID, isClientSecret, knowsUser } from "../shared/credentials.mjs";
import { Generations } from "../shared/generations.mjs";

const { values: flags } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:8080" },
    key: { type: "string", default: "string" },
  },
});

const secret = randomBytes(32).toString("base64");
const key = { string: secret, keyobject: createSecretKey(secret, "utf8") }[flags.key];
if (!key) throw new Error("--key is one of string, keyobject");

const client = { id: clientID, grants: ["password", "refresh_token"] };
const lifetime = 3600;
const tokens = new Generations(); // by refresh token

const model = {
  async getClient(id, secret) {
    return id === client.id && isClientSecret(secret) && client;
  },
  async getUser(username, password) {
    return knowsUser(username, password) && { id: username };
  },
  async validateScope(_user, _client, scope = []) {
    return scope.every((name) => name === "read") && scope;
  },
  async generateAccessToken(client, user, scope) {
    return jwt.sign({ client_id: client.id, scope: scope?.join(" ") }, key, {
      algorithm: "HS256",
      expiresIn: lifetime,
      subject: user.id,
      jwtid: randomUUID(),
    });
  },
  async saveToken(token, client, user) {
    const saved = { ...token, client, user };
    tokens.set(token.refreshToken, saved);
    return saved;
  },
  async getRefreshToken(refreshToken) {
    return tokens.get(refreshToken);
  },
  async revokeToken(token) {
    return tokens.delete(token.refreshToken);
  },
};

const app = express();
app.disable("etag");
app.disable("x-powered-by");
const oauth = new OAuthServer({ model, accessTokenLifetime: lifetime });
app.post("/token", express.urlencoded({ extended: false }), oauth.token());
app.get("/ready", (_req, res) => {
  res.send("ready");
});
const [host, port] = flags.listen.split(":");
createServer(app).listen(Number(port), host);
