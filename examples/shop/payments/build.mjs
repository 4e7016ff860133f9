// Makes a component of payments.js: node build.mjs MODULES OUTPUT, where MODULES holds componentize-js.

import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [modules, output] = process.argv.slice(2).map((path) => resolve(path));
const here = fileURLToPath(new URL(".", import.meta.url));
const entry = join(modules, "@bytecodealliance/componentize-js/src/componentize.js");
const { componentize } = await import(pathToFileURL(entry));

const { component } = await componentize({
  sourcePath: join(here, "payments.js"),
  witPath: join(here, "../wit/payments.wit"),
  worldName: "cashier",
  // It needs nothing but what it is given, so it is given nothing else.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
