// Makes a component of guest.js: node build.mjs MODULES OUTPUT, where MODULES holds componentize-js.

import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [modules, output] = process.argv.slice(2).map((path) => resolve(path));
const here = fileURLToPath(new URL(".", import.meta.url));
const entry = join(modules, "@bytecodealliance/componentize-js/src/componentize.js");
const { componentize } = await import(pathToFileURL(entry));

// The engine that it builds in knows this version of wasi:http and no other.
const wit = `${output}.wit`;
await cp(join(here, "../../../wit/wasi-0.2"), wit, { recursive: true });
for (const file of await readdir(wit, { recursive: true })) {
  if (!file.endsWith(".wit")) continue;
  const text = await readFile(join(wit, file), "utf8");
  await writeFile(join(wit, file), text.replaceAll("0.2.12", "0.2.10"));
}

const { component } = await componentize({
  sourcePath: join(here, "guest.js"),
  witPath: wit,
  worldName: "http",
});
await writeFile(output, component);
