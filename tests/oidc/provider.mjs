// A real OpenID Connect provider for the tests, with its own development pages for signing in.
// Usage: node provider.mjs <JSON settings>; prints its issuer address once it listens.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [settings.client],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    // As most commercial providers do it: the claims stand in the identity token as well.
    conformIdTokenClaims: settings.conform === true,
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...settings.people[id] }),
    }),
    pkce: { required: () => true },
    cookies: { keys: ["test"] },
    jwks: settings.jwks,
  });
  provider.on("server_error", (_context, error) => console.error(error));
  server.on("request", provider.callback());
  console.log(issuer);
});
