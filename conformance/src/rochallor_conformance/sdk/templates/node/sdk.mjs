// What the driver needs of your SDK. Fill in one thing after the other, and claim it in driver.toml when it works.
export const name = "my-sdk";
export const version = "0.0.0";

// Make a client. `url` is http://HOST:PORT over rest, HOST:PORT over grpc; options may have timeoutMs and token.
export function connect(transport, url, options) {
  return { transport, url, options };
}

// Operation of openapi.yaml -> what calls it. `args` have REST's names, and so has the result; wrap a bare list
// as REST does: {items: [...]}, {jobs: [...]}. For example:
//   getInstance: (client, { id }) => client.getInstance(id),
export const operations = {};

// Start a worker with one handler for all job types: `await handler(job)` returns the variables or throws.
// Return an object whose stop() resolves when the worker has drained and ended.
export function startWorker(client, workerId, jobTypes, options, handler) {
  throw new Error("this driver cannot start workers yet");
}

// The error that a handler throws so that the SDK fails the job as asked for: { retryable, code, retryAfterMs }.
export function failure(message, wanted) {
  return new Error(message);
}

// An error of the SDK -> a code or kind of errors.yaml, `unreachable`, `unsendable`, `not-offered` or `other`.
export function kindOf(error) {
  return "other";
}

// What else an error of the SDK knows: retryAfterMs, how long the engine asked to wait, and details, the engine's list of
// what is wrong. Claim retry-after and error-details when they arrive; what is undefined is left out.
export function factsOf(error) {
  return { retryAfterMs: error.retryAfterMs, details: error.details };
}
