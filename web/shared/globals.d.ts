/** The version that was built, as `/desk/settings` answers it. */
declare const __VERSION__: string;

declare module "*.css";
