/** What the stack tells its pages: how people sign in, the language of those who named none, and its version. */

import type { Api } from "./api";
import type { Settings } from "./types";

export type { Settings };

/** `version` differs from __VERSION__ once other pages were deployed. */
export const settingsOf = (api: Api): Promise<Settings> => api.get<Settings>("desk/settings");
