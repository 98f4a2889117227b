import {
  type GraphApp,
  type GraphPerson,
  graphAnswers,
} from "../../src/app/demo/graph-stand-in.ts";
import { type Answer, answerJson, type StandIn, startStandIn } from "./stand-in.ts";

/** A stand-in for Facebook. */
export interface Graph extends StandIn<"token" | "me"> {
  readonly graphUrl: string;
  readonly authUrl: string;
}

export async function startGraph(app: GraphApp, person: GraphPerson): Promise<Graph> {
  const listener = graphAnswers(app, person);
  const answer: Answer = (response, { request }) => listener(request, response);
  const standIn = await startStandIn(() => ({
    pages: [{ path: "/dialog/oauth", answer }],
    calls: {
      token: { path: "/oauth/access_token", answer },
      me: { path: "/me", answer },
    },
  }));
  return { ...standIn, graphUrl: standIn.url, authUrl: `${standIn.url}/dialog/oauth` };
}

/** A refusal in the form that the Graph API documents. */
export function oauthException(code: number, subcode?: number): Answer {
  const error = { message: "words", type: "OAuthException", code, error_subcode: subcode };
  return (response) => answerJson(response, 400, { error });
}
