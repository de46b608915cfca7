// Bundles the pages into the folder that the conflict detector serves: node build.mjs FOLDER VERSION
//
// Each page becomes one script and one style sheet, named by their content, so that browsers may keep them for ever, and
// its HTML, which names them. Code that a page loads later lies in further files.

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const PAGES = ["desk", "book"];
const [into, version] = process.argv.slice(2);

// Each page on its own: nobody uses both, so that what they share need not be a file of its own.
const bundled = (page) =>
  build({
    absWorkingDir: HERE,
    entryPoints: { [page]: `${page}/main.tsx` },
    outdir: into,
    entryNames: "[name]-[hash]",
    chunkNames: `${page}-[name]-[hash]`,
    bundle: true,
    splitting: true, // for what is loaded later
    format: "esm",
    minify: true,
    target: ["chrome109", "firefox115", "safari16"], // of the beginning of 2023
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { __VERSION__: JSON.stringify(version) },
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
  });

// Whoever reads meanwhile finds all of the old pages or all of the new ones.
const fresh = `${into}.new`;
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
for (const page of PAGES) {
  const { metafile, outputFiles } = await bundled(page);
  for (const { path, contents } of outputFiles) await writeFile(join(fresh, basename(path)), contents);
  const [path, made] = Object.entries(metafile.outputs).find(([, one]) => one.entryPoint === `${page}/main.tsx`);
  const names = { script: basename(path), style: basename(made.cssBundle) };
  const html = await readFile(join(HERE, page, "index.html"), "utf8");
  await writeFile(join(fresh, `${page}.html`), html.replace(/\{(script|style)\}/g, (_, name) => `assets/${names[name]}`));
}
await writeFile(join(fresh, "version.txt"), version);
await rm(into, { recursive: true, force: true });
await rename(fresh, into);
