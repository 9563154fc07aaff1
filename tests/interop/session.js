// Node's msgpack5rpc, both ways: `node session.js client PORT` calls what our servers offer and prints what it found as
// JSON; `node session.js server` prints the port that it listens at, and offers the same.
const net = require('net');
const Session = require('msgpack5rpc');

const methods = {
  double: (n) => n + n,
  echo: (value) => value,
  tell: (value) => { told = value; return null; },
  last: () => told,
  raw: () => Buffer.from([0, 255, 0, 255]),
};
let told = null;

function serve() {
  const server = net.createServer((socket) => {
    const session = new Session();
    session.attach(socket, socket);
    session.on('request', (method, args, response) => {
      if (method === 'fail') response.send(args[0], true);
      else if (method === 'ask') session.request(args[0], args[1], (error, result) => response.send([error, result]));
      else if (!(method in methods)) response.send('no ' + method, true);
      else response.send(methods[method](...args));
    });
    session.on('notification', (method, args) => {
      if (method === 'ask') session.request(args[0], args[1], (error, result) => { told = [error, result]; });
      else methods[method](...args);
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

function call(port) {
  const socket = net.connect(port, '127.0.0.1', async () => {
    const session = new Session();
    session.attach(socket, socket);
    const ask = (method, ...args) => new Promise((done) => {
      session.request(method, args, (error, result) => done([error, result]));
    });
    const raw = await ask('echo', Buffer.from([0, 255, 1]));
    const found = {
      double: await ask('double', 8),
      text: await ask('echo', 'ä'.repeat(100)),
      long: (await ask('echo', 'a'.repeat(1000000)))[1].length,
      nested: await ask('echo', {a: [1, 2.5, null, true, -7, {b: 'c'}]}),
      fail: await ask('fail', 'so'),
      zzz: await ask('zzz'),
      raw: [raw[0], Buffer.isBuffer(raw[1]), Array.from(raw[1])],
      many: await Promise.all([...Array(50).keys()].map((n) => ask('double', n))),
    };
    session.notify('tell', ['told']);
    console.log(JSON.stringify(found));
    socket.end();
  });
}

if (process.argv[2] === 'server') serve();
else call(Number(process.argv[3]));
