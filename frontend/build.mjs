// Bundle and minify the style sheet and the scripts into src/sigma/web/static, with a content hash in
// each file name, and write manifest.json: {"app.css": "app-3F2A….css", …}, which the server reads.
import { build } from "esbuild";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

const ENTRIES = ["src/app.css", "src/cabinet.js", "src/checkout.js", "src/service-worker.js"];
const TARGET = path.resolve("../src/sigma/web/static");

await mkdir(TARGET, { recursive: true });
const { metafile } = await build({
  entryPoints: ENTRIES,
  outdir: TARGET,
  bundle: true,
  minify: true,
  metafile: true,
  // Browsers of phones from 2023 on.
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

const built = new Set(Object.keys(metafile.outputs).map((output) => path.basename(output)));
for (const name of await readdir(TARGET)) {
  if (!built.has(name)) await rm(path.join(TARGET, name), { recursive: true });
}
// The manifest is replaced last and atomically, so it never names a missing file.
await writeFile(path.join(TARGET, "manifest.tmp"), JSON.stringify(manifest, null, 2) + "\n");
await rename(path.join(TARGET, "manifest.tmp"), path.join(TARGET, "manifest.json"));
