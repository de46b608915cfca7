/**
 * How a site that shows the page in a frame makes it its own: a few values in the page's address, each of a form that can
 * be nothing but what it is. Whatever else stands there is passed over.
 *
 * `accent` is a colour such as 0a7 or 00aa77, `radius` the roundness of corners in pixels, `scheme` is light or dark, and
 * `background=transparent` lets the site's own shine through.
 */

export interface Theme {
  accent?: string;
  radius?: number;
  scheme?: "light" | "dark";
  transparent?: boolean;
}

export function themeOf(query: URLSearchParams): Theme {
  const theme: Theme = {};
  const accent = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(query.get("accent") ?? "")?.[1];
  if (accent) theme.accent = `#${accent.length === 3 ? [...accent].map((digit) => digit + digit).join("") : accent}`.toLowerCase();
  const radius = /^\d{1,2}$/.exec(query.get("radius") ?? "")?.[0];
  if (radius !== undefined && Number(radius) <= 24) theme.radius = Number(radius);
  const scheme = query.get("scheme");
  if (scheme === "light" || scheme === "dark") theme.scheme = scheme;
  if (query.get("background") === "transparent") theme.transparent = true;
  return theme;
}

type Rgb = [number, number, number];

function rgb(color: string): Rgb {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)) as Rgb;
}

const hex = (color: Rgb): string => `#${color.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

function luminance(color: string): number {
  const [red, green, blue] = rgb(color).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** As WCAG 2 has it: 21 is black on white. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Text has to have this against what it stands on. */
const READABLE = 4.5;

/** The colour, as much darker or lighter as it takes to be read on another one. */
export function readableOn(color: string, paper: string): string {
  const towards: Rgb = luminance(paper) > 0.18 ? [0, 0, 0] : [255, 255, 255];
  for (let share = 0; share <= 1; share += 0.02) {
    const mixed = hex(rgb(color).map((part, n) => part + ((towards[n] as number) - part) * share) as Rgb);
    if (contrast(mixed, paper) >= READABLE) return mixed;
  }
  return hex(towards);
}

/** What the style sheet takes from a theme, in the colours of the scheme that is shown. */
export function variables(theme: Theme, papers: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  if (theme.accent) {
    const accent = papers.reduce(readableOn, theme.accent);
    found["--brand"] = accent;
    found["--on-brand"] = contrast(accent, "#ffffff") >= contrast(accent, "#101010") ? "#ffffff" : "#101010";
  }
  if (theme.radius !== undefined) found["--radius"] = `${theme.radius}px`;
  return found;
}
