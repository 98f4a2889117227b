import type { AuthSettings } from "../../src/auth/settings.ts";
import { Grants } from "./grants.ts";
import { type Answer, answerJson, type StandIn, startStandIn } from "./stand-in.ts";

const CLIENT_ID = "1234.apps.googleusercontent.com";
const CLIENT_SECRET = "GOCSPX-the-secret-of-the-client";

/** A stand-in for Google: login page, token endpoint and userinfo as they are documented. */
export interface Google extends StandIn<"token" | "userinfo"> {
  readonly grants: Grants;
  readonly settings: Partial<AuthSettings["google"]>;
  readonly clientSecret: string;
}

const person = {
  sub: "110169484474386276334",
  email: "ann@example.com",
  email_verified: true,
  given_name: "Ann",
  family_name: "Lee",
  picture: "https://lh3.googleusercontent.com/a/1",
  locale: "de",
};

export async function startGoogle(): Promise<Google> {
  const grants = new Grants();

  const giveToken: Answer = (response, { method, form }) => {
    const known =
      form.get("client_id") === CLIENT_ID && form.get("client_secret") === CLIENT_SECRET;
    if (method !== "POST") return answerJson(response, 405, {});
    if (!known) return answerJson(response, 401, { error: "invalid_client" });
    const refreshes = form.get("grant_type") === "refresh_token";
    const grant = refreshes ? grants.find(form.get("refresh_token") ?? "") : grants.redeem(form);
    if (grant === undefined) {
      const error_description = refreshes ? "Token has been revoked." : "Malformed auth code.";
      return answerJson(response, 400, { error: "invalid_grant", error_description });
    }
    const claims = { sub: person.sub, nonce: grant["nonce"] };
    const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const offline = grant["access_type"] === "offline" && !refreshes;
    answerJson(response, 200, {
      access_token: grants.newToken(grant),
      expires_in: 3_599,
      scope: grant["scope"],
      token_type: "Bearer",
      id_token: `e30.${payload}.signature`,
      ...(offline && { refresh_token: grants.newToken(grant) }),
    });
  };

  const tellPerson: Answer = (response, { authorization }) => {
    const grant = grants.find(authorization.replace("Bearer ", ""));
    if (grant !== undefined) return answerJson(response, 200, person);
    const error_description = "Invalid Credentials";
    answerJson(response, 401, { error: "invalid_request", error_description });
  };

  const standIn = await startStandIn(() => ({
    pages: [{ path: "/auth", answer: grants.login() }],
    calls: {
      token: { path: "/token", answer: giveToken },
      userinfo: { path: "/userinfo", answer: tellPerson },
    },
  }));
  const settings = {
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    authUrl: `${standIn.url}/auth`,
    tokenUrl: `${standIn.url}/token`,
    userinfoUrl: `${standIn.url}/userinfo`,
  };
  return { ...standIn, grants, settings, clientSecret: CLIENT_SECRET };
}
