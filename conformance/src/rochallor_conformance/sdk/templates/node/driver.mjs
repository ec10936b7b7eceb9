// Speaks wf-driver/1 on standard input and output. What knows the SDK is in sdk.mjs; this file needs no change.
import { createInterface } from "node:readline";
import * as sdk from "./sdk.mjs";

const clients = new Map();
const workers = new Map();
const waiting = new Map(); // token -> the handler that waits for its job.reply
let tokens = 0;

class Refused extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

function known(things, name) {
  if (!things.has(name)) throw new Refused("unknown", `there is no ${name}`);
  return things.get(name);
}

async function handle(worker, job) {
  const token = String(++tokens);
  const { leaseToken, ...shown } = job;
  const reply = await new Promise((resolve) => {
    waiting.set(token, { worker, resolve });
    say({ event: "job", worker, token, job: shown });
  });
  if (reply.action === "return") return reply.variables;
  if (reply.action === "fail") throw sdk.failure(reply.message ?? "", reply);
  if (reply.action === "throw") throw new Error(reply.message ?? "");
  return new Promise(() => {}); // hang
}

const commands = {
  hello: () => ({ protocol: "wf-driver/1", sdk: sdk.name, version: sdk.version }),
  connect: async ({ id, transport, url, options = {} }) => {
    clients.set(id, await sdk.connect(transport, url, options));
  },
  call: async ({ client, op, args }) => {
    const found = known(clients, client);
    if (!sdk.operations[op]) throw new Refused("unsupported", `this SDK has no ${op}`);
    return await sdk.operations[op](found, args);
  },
  "worker.start": async ({ id, client, workerId, jobTypes, options = {} }) => {
    const found = known(clients, client);
    workers.set(id, await sdk.startWorker(found, workerId, jobTypes, options, (job) => handle(id, job)));
  },
  "job.reply": ({ token, ...reply }) => {
    known(waiting, token).resolve(reply);
    waiting.delete(token);
  },
  "worker.stop": async ({ id, mode }) => {
    const ended = known(workers, id).stop();
    const hurry = () => {
      for (const [token, { worker }] of waiting) {
        if (worker === id) commands["job.reply"]({ token, action: "throw", message: "stopped now" });
      }
    };
    const timer = mode === "now" ? setInterval(hurry, 20) : undefined;
    await ended;
    clearInterval(timer);
    workers.delete(id);
  },
  reset: async () => {
    for (const id of [...workers.keys()]) await commands["worker.stop"]({ id, mode: "now" });
    clients.clear();
  },
  bye: () => {},
};

async function answer({ seq, command, ...fields }) {
  try {
    if (!commands[command]) throw new Refused("unsupported", `there is no command ${command}`);
    say({ re: seq, result: (await commands[command](fields)) ?? {} });
  } catch (error) {
    const kind = error.kind ?? sdk.kindOf(error);
    say({ re: seq, error: { kind, message: String(error.message), ...sdk.factsOf?.(error) } });
  }
  if (command === "bye") process.stdout.write("", () => process.exit(0));
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => answer(JSON.parse(line)));
input.on("close", () => process.exit(0));
