// Bundles and minifies what the pages load, names each file by its content,
// and writes manifest.json: {"app.css": "app-3F2A….css", …}, which the templates read.
import { build } from "esbuild";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

const ENTRIES = ["src/app.css", "src/cabinet.js", "src/checkout.js"];
const TARGET = path.resolve("../src/sigma/web/static");

await mkdir(TARGET, { recursive: true });
const { metafile } = await build({
  entryPoints: ENTRIES,
  outdir: TARGET,
  bundle: true,
  minify: true,
  metafile: true,
  // Phones of the last few years.
  target: ["chrome111", "firefox113", "safari16.4"],
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".svg": "file", ".png": "file", ".woff2": "file" },
  legalComments: "linked",
  logLevel: "warning",
});

const manifest = {};
for (const [output, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (entryPoint) manifest[path.basename(entryPoint)] = path.basename(output);
}

const fresh = new Set(Object.keys(metafile.outputs).map((output) => path.basename(output)));
for (const name of await readdir(TARGET)) {
  if (!fresh.has(name)) await rm(path.join(TARGET, name), { recursive: true });
}
// Last and in one move: whoever sees the manifest sees every file it names.
await writeFile(path.join(TARGET, "manifest.tmp"), JSON.stringify(manifest, null, 2) + "\n");
await rename(path.join(TARGET, "manifest.tmp"), path.join(TARGET, "manifest.json"));
