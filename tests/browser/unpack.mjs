// Decompresses files: node unpack.mjs <from> <to> [<from> <to> ...]. Python has no Brotli of its own.
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const names = process.argv.slice(2);
while (names.length) {
  const [from, to] = names.splice(0, 2);
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to));
}
