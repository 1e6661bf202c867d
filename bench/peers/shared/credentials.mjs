// The client and the users of all peers. Their secrets are kept as SHA-256, as if a
// slow hash of them had been checked before: bench compares endpoints, not hashes.
import { hash, timingSafeEqual } from "node:crypto";

export const clientID = "bench";

const digest = (secret) => hash("sha256", secret, "buffer");

const nobody = digest("");
const client = digest("bench-secret");
const users = new Map(); // user0, user1 …
for (let i = 0; i < 1000; i++) users.set(`user${i}`, digest("correct-horse"));

const is = (secret, expected) => typeof secret === "string" && timingSafeEqual(digest(secret), expected);

export const isClientSecret = (secret) => is(secret, client);

export const knowsUser = (name, password) => is(password, users.get(name) ?? nobody) && users.has(name);
