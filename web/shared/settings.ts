/** What the stack tells its pages: `GET /desk/settings`. */

import type { Api } from "./api";

export interface SignInSettings {
  /** Who issues tokens. */
  authority: string;
  /** Where people sign in, such as https://clinic.auth.eu-central-1.amazoncognito.com. */
  domain: string;
  clientId: string;
}

export interface Settings {
  auth: "none" | "cognito" | "iam";
  /** There with `auth` cognito, if the stack has a sign-in page. */
  signIn?: SignInSettings;
  /** The language of whoever named none, such as de or de-CH. */
  defaultLocale: string;
  /** Of the pages that the stack serves now: another one than __VERSION__ after a deployment. */
  version: string;
}

export const settingsOf = (api: Api): Promise<Settings> => api.get<Settings>("desk/settings");
