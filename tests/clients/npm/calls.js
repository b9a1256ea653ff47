/* Calls methods of the npm package webdav, and tells what they answer.

   node calls.js URL < calls: each line of stdin is a JSON list, a method and its arguments; each
   line of stdout is {"value": …} or {"status": …, "error": …}. Bytes are {"base64": …} on the way
   in and out. What streams is called as a method here: readStream, writeStream. */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createClient } from "webdav";

const client = createClient(process.argv[2]);

const streams = {
    readStream: (path, range) => buffer(client.createReadStream(path, { range })),
    writeStream: (path, block, times) =>
        new Promise((resolve, reject) => {
            const stream = client.createWriteStream(path, {}, (answer) => resolve(answer.status));
            stream.on("error", reject);
            Readable.from(Array(times).fill(block)).pipe(stream);
        }),
};

const decode = (_, value) => (value?.base64 === undefined ? value : Buffer.from(value.base64, "base64"));
const encode = (value) => (Buffer.isBuffer(value) ? { base64: value.toString("base64") } : value ?? null);

async function call(line) {
    const [method, ...args] = JSON.parse(line, decode);
    try {
        return { value: encode(await (streams[method] ?? client[method])(...args)) };
    } catch (error) {
        return { status: error.status ?? null, error: error.message };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await call(line)));
}
