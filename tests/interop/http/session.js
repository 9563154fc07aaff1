// Node's xmlrpc: "client URL" calls what every server here offers and prints what came back; "server" serves, and
// prints its port.
"use strict";
const xmlrpc = require("xmlrpc");
const [role, url] = process.argv.slice(2);

function client() {
    const at = new URL(url);
    const far = xmlrpc.createClient({ host: at.hostname, port: Number(at.port), path: at.pathname });
    const call = (method, ...args) =>
        new Promise((resolve) => {
            far.methodCall(method, args, (error, value) => resolve(error ? [error.faultString] : value));
        });
    const shown = (value) => (Buffer.isBuffer(value) ? { bytes: [...value] } : value);
    const moment = new Date(2026, 1, 3, 14, 5, 6);
    (async () => {
        const found = {
            double: await call("double", 8),
            text: await call("echo", "ä€𝄞 <&>"),
            long: (await call("echo", "x".repeat(1000000))).length,
            nested: await call("echo", { a: [1, 2.5, true, -7, { b: "c" }] }),
            bytes: shown(await call("echo", Buffer.from([0, 255, 13, 10]))),
            moment: (await call("echo", moment)).getTime() === moment.getTime(),
            fail: await call("fail", "so"),
            zzz: await call("zzz"),
            many: await Promise.all([...Array(20).keys()].map((n) => call("double", n))),
            large: await call("kind", 5000000000),
        };
        console.log(JSON.stringify(found));
    })();
}

function server() {
    const here = xmlrpc.createServer({ host: "127.0.0.1", port: 0 }, () => console.log(here.httpServer.address().port));
    const methods = {
        double: ([n]) => n + n,
        pair: ([first, second]) => [first, second],
        echo: ([value]) => value,
        large: () => 5000000000,
        raw: () => Buffer.from([0, 255, 13, 10]),
    };
    for (const [name, method] of Object.entries(methods)) {
        here.on(name, (error, params, answer) => answer(error, error ? undefined : method(params)));
    }
    here.on("fail", (error, [text], answer) => answer({ faultCode: 7, faultString: text }));
}

({ client, server })[role]();
