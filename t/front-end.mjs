// A chart's front-end, for t/29-front-end.t: node front-end.mjs PLAN
//
// PLAN is a file of JSON: where the server is, and queries with the files that hold the answers they must have.
// Says "ok NAME" or "not ok NAME: why" for each thing that it tries, and "done" at the end.

import { readFileSync } from "node:fs";
import http from "node:http";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const query = Object.fromEntries(plan.queries.map((q) => [q.name, q]));

async function test(name, body) {
    try {
        await body();
        console.log(`ok ${name}`);
    } catch (error) {
        console.log(`not ok ${name}: ${error?.stack ?? error}`.replaceAll("\n", " "));
    }
}

function same(got, wanted, what) {
    if (got !== wanted) throw new Error(`${what}: ${got}, not ${wanted}`);
}

// load(target, options): what the front-end does. The stream is read as it comes; the line of JSON ends at the first
// newline, in whatever chunk that is; each column gets memory of its data_length, and is filled by the chunks that follow.
// It looks at no keys but those it knows. options.through rearranges the chunks, options.progress is called after each.
async function load(target, { signal, through, progress } = {}) {
    const response = await fetch(plan.base + target, { signal });
    if (!response.ok) {
        const { error, parameter } = await response.json();
        throw Object.assign(new Error(error), { status: response.status, parameter });
    }
    const reader = (through ? response.body.pipeThrough(through) : response.body).getReader();
    let line = new Uint8Array(0);
    let columns = null;
    let [turn, filled, chunks] = [0, 0, 0];
    for (;;) {
        let { done, value: chunk } = await reader.read();
        if (done) break;
        chunks++;
        if (!columns) {
            const joined = new Uint8Array(line.length + chunk.length);
            joined.set(line);
            joined.set(chunk, line.length);
            const newline = joined.indexOf(10);
            if (newline < 0) {
                line = joined;
                continue;
            }
            const header = JSON.parse(new TextDecoder().decode(joined.subarray(0, newline)));
            columns = header.columns.map(({ name, type, num_records, data_length }) =>
                ({ name, type, num_records, bytes: new Uint8Array(data_length) }));
            chunk = joined.subarray(newline + 1);
        }
        while (turn < columns.length) {
            const { bytes } = columns[turn];
            const part = chunk.subarray(0, bytes.length - filled);
            bytes.set(part, filled);
            filled += part.length;
            chunk = chunk.subarray(part.length);
            if (filled < bytes.length) break;
            [turn, filled] = [turn + 1, 0];
        }
        if (turn === columns.length && chunk.length) throw new Error(`${chunk.length} bytes follow the last column`);
        progress?.(chunks);
    }
    if (!columns || turn < columns.length) throw new Error("the stream ended too early");
    return { columns, chunks };
}

// rearrange(size): hands the same bytes on in chunks of size() bytes.
function rearrange(size) {
    return new TransformStream({
        transform(chunk, controller) {
            for (let at = 0; at < chunk.length;) {
                const end = Math.min(chunk.length, at + size());
                controller.enqueue(chunk.slice(at, end));
                at = end;
            }
        },
    });
}

// expected(name): the answer that a query must have: [{name, type, num_records, bytes}].
function expected(name) {
    const body = readFileSync(query[name].file);
    const end = body.indexOf("\n") + 1;
    return JSON.parse(body.subarray(0, end)).columns.map((c) =>
        ({ ...c, bytes: body.subarray(end + c.offset, end + c.offset + c.data_length) }));
}

function check(columns, name) {
    const wanted = expected(name);
    same(columns.map((c) => c.name).join(), wanted.map((c) => c.name).join(), "columns");
    columns.forEach(({ type, num_records, bytes }, i) => {
        const column = wanted[i].name;
        same(type, wanted[i].type, `type of ${column}`);
        same(num_records, wanted[i].num_records, `records of ${column}`);
        same(Buffer.compare(bytes, wanted[i].bytes), 0, `bytes of ${column}`);
    });
}

// Slowly, byte by byte: [array type, value of record i in a DataView].
const types = {
    u32: [Uint32Array, (view, i) => view.getUint32(4 * i, true)],
    u64: [BigUint64Array, (view, i) => view.getBigUint64(8 * i, true)],
    f32: [Float32Array, (view, i) => view.getFloat32(4 * i, true)],
};

// compare(array, column): value for value.
function compare(array, { name, type, num_records, bytes }) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    same(array.length, num_records, `values of ${name}`);
    for (let i = 0; i < num_records; i++) same(Object.is(array[i], types[type][1](view, i)), true, `${name}[${i}]`);
}

for (const { name, target, status, parameter } of plan.queries) {
    await test(name, async () => {
        if (status === 200) {
            const { columns } = await load(target);
            check(columns, name);
            expected(name).forEach((wanted, i) => compare(new types[wanted.type][0](columns[i].bytes.buffer), wanted));
            return;
        }
        const error = await load(target).then(() => ({ status: 200 }), (e) => e);
        same(error.status, status, "status");
        same(error.parameter, parameter, "parameter");
        same(typeof error.message === "string" && error.message.length > 0, true, "it says why");
    });
}

await test("a large answer comes in many chunks", async () => {
    const { chunks } = await load(query.large.target);
    same(chunks > 10, true, `${chunks} chunks`);
});

await test("wherever chunks end", async () => {
    const name = "several days";
    const end = readFileSync(query[name].file).indexOf("\n") + 1;
    for (const size of [1, 2, 3, 7, 63, 64, 65, end - 1, end, end + 1]) {
        check((await load(query[name].target, { through: rearrange(() => size) })).columns, name);
    }
    const random = () => 1 + Math.floor(Math.random() ** 3 * 70000);
    check((await load(query.large.target, { through: rearrange(random) })).columns, "large");
});

await test("typed arrays on the body, without a copy", async () => {
    const name = "wider columns first";
    const body = await (await fetch(plan.base + query[name].target)).arrayBuffer();
    const end = new Uint8Array(body).indexOf(10) + 1;
    const { columns } = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 0, end)));
    const wanted = expected(name);
    columns.forEach((c, i) => {
        const array = new types[c.type][0](body, end + c.offset, c.num_records);
        same(array.buffer === body, true, `${c.name} is a view`);
        compare(array, wanted[i]);
    });
});

await test("given up in the middle, and on with others", async () => {
    for (let round = 0; round < 5; round++) {
        const controller = new AbortController();
        const aborted = load(query.large.target, { signal: controller.signal, progress: (n) => n === 1 + round && controller.abort() });
        const error = await aborted.then(() => null, (e) => e);
        same(error?.name, "AbortError", "what it ends with");
        check((await load(query["several days"].target)).columns, "several days");
    }
    const controller = new AbortController();
    const [aborted, other] = [load(query.large.target, { signal: controller.signal }), load(query.large.target)];
    controller.abort();
    same((await aborted.then(() => null, (e) => e))?.name, "AbortError", "before it begins");
    check((await other).columns, "large");
});

await test("several at once", async () => {
    const names = plan.queries.filter((q) => q.status === 200).map((q) => q.name);
    await Promise.all([...names, ...names, ...names].map(async (name) => check((await load(query[name].target)).columns, name)));
});

// get(agent, target): {body, port (the client's, of its connection)}
function get(agent, target) {
    return new Promise((resolve, reject) => {
        http.get(plan.base + target, { agent }, (response) => {
            const { localPort: port } = response.socket;
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk));
            response.on("end", () => resolve({ body: Buffer.concat(chunks), port }));
            response.on("error", reject);
        }).on("error", reject);
    });
}

await test("an agent keeps its connections", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });
    const names = plan.queries.filter((q) => q.status === 200 && q.name !== "large").map((q) => q.name);
    const ports = new Set();
    for (let round = 0; round < 4; round++) {
        await Promise.all([...names, ...names].map(async (name) => {
            const { body, port } = await get(agent, query[name].target);
            same(Buffer.compare(body, readFileSync(query[name].file)), 0, name);
            ports.add(port);
        }));
    }
    agent.destroy();
    same(ports.size, 3, "connections");
});

console.log("done");
