import type { AuthSettings } from "../../src/auth/settings.ts";
import { Grants } from "./grants.ts";
import { type Answer, answerJson, type StandIn, startStandIn } from "./stand-in.ts";

const CLIENT_ID = "51234567";
const CLIENT_SECRET = "the-service-token-of-the-application";
const DEVICE_ID = "device-1";

/** A stand-in for VK: VK ID and the classic flow, as they are documented. */
export interface Vk extends StandIn<"token" | "userInfo" | "accessToken" | "usersGet"> {
  readonly grants: Grants;
  readonly settings: Partial<AuthSettings["vk"]>;
  readonly clientSecret: string;
}

const person = { first_name: "Аня", last_name: "Ли" };
const USER_ID = 1234567890;
const PICTURE = "https://sun1.userapi.com/a.jpg";

export async function startVk(): Promise<Vk> {
  const grants = new Grants();

  const giveToken: Answer = (response, { form }) => {
    const known =
      form.get("client_id") === CLIENT_ID && form.get("service_token") === CLIENT_SECRET;
    if (!known) return answerJson(response, 401, { error: "invalid_client" });
    if (form.get("device_id") !== DEVICE_ID) {
      const error_description = "device_id is missing or invalid";
      return answerJson(response, 400, { error: "invalid_request", error_description });
    }
    const refreshToken = form.get("refresh_token") ?? "";
    const refreshes = form.get("grant_type") === "refresh_token";
    const grant = refreshes ? grants.find(refreshToken) : grants.redeem(form);
    const stateFits = refreshes || form.get("state") === grant?.["state"];
    if (grant === undefined || !stateFits) {
      const error_description = "code is invalid or expired";
      return answerJson(response, 400, { error: "invalid_grant", error_description });
    }
    // A refresh token works once.
    grants.drop(refreshToken);
    answerJson(response, 200, {
      access_token: grants.newToken(grant),
      refresh_token: grants.newToken(grant),
      id_token: "e30.e30.signature",
      token_type: "Bearer",
      expires_in: 3_600,
      user_id: USER_ID,
      scope: "vkid.personal_info email",
    });
  };

  const tellUser: Answer = (response, { method, form }) => {
    const grant = grants.find(form.get("access_token") ?? "");
    const fits = method === "POST" && form.get("client_id") === CLIENT_ID;
    if (grant === undefined || !fits) return answerJson(response, 200, { error: "invalid_token" });
    const email = "ann@example.com";
    const user = { user_id: String(USER_ID), ...person, email, avatar: PICTURE, sex: 1 };
    answerJson(response, 200, { user });
  };

  const giveAccessToken: Answer = (response, { url }) => {
    const query = url.searchParams;
    if (query.get("client_secret") !== CLIENT_SECRET) {
      return answerJson(response, 401, { error: "invalid_client" });
    }
    // PKCE is not the classic flow's.
    query.delete("code_verifier");
    const grant = grants.redeem(query);
    if (grant === undefined) {
      const error_description = "Code is invalid or expired.";
      return answerJson(response, 401, { error: "invalid_grant", error_description });
    }
    const access_token = grants.newToken(grant);
    const email = "ann@example.com";
    answerJson(response, 200, { access_token, expires_in: 0, user_id: USER_ID, email });
  };

  const getUsers: Answer = (response, { form }) => {
    if (grants.find(form.get("access_token") ?? "") === undefined || !form.has("v")) {
      const error_msg = "User authorization failed: invalid access_token (4).";
      return answerJson(response, 200, { error: { error_code: 5, error_msg } });
    }
    answerJson(response, 200, { response: [{ id: USER_ID, ...person, photo_200: PICTURE }] });
  };

  const idLogin = grants.login({ device_id: DEVICE_ID, type: "code_v2", expires_in: "600" });
  const classicLogin: Answer = (response, asked) => {
    asked.url.searchParams.delete("code_challenge");
    grants.login()(response, asked);
  };
  const standIn = await startStandIn(() => ({
    pages: [
      { path: "/id/authorize", answer: idLogin },
      { path: "/oauth/authorize", answer: classicLogin },
    ],
    calls: {
      token: { path: "/id/oauth2/auth", answer: giveToken },
      userInfo: { path: "/id/oauth2/user_info", answer: tellUser },
      accessToken: { path: "/oauth/access_token", answer: giveAccessToken },
      usersGet: { path: "/method/users.get", answer: getUsers },
    },
  }));
  const settings = {
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    idUrl: `${standIn.url}/id`,
    oauthUrl: `${standIn.url}/oauth`,
    apiUrl: `${standIn.url}/method`,
  };
  return { ...standIn, grants, settings, clientSecret: CLIENT_SECRET };
}
