// As little of an SDK as passes `driver check`: three operations and a worker over REST.
export const name = "tiny";
export const version = "1";

async function send(url, method, path, body) {
  const headers = body ? { "content-type": "application/json" } : {};
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  const said = text ? JSON.parse(text) : {};
  const wait = answer.headers.get("retry-after");
  const facts = { code: said.error, details: said.details, retryAfterMs: wait ? wait * 1000 : undefined };
  if (!answer.ok) throw Object.assign(new Error(said.message), facts);
  return said;
}

export const connect = (transport, url) => url;

export const operations = {
  uploadDefinition: (url, { definition }) => send(url, "POST", "/v1/definitions", definition),
  getInstance: (url, { id }) => send(url, "GET", `/v1/instances/${encodeURIComponent(id)}`),
  getInstanceHistory: (url, { id }) => send(url, "GET", `/v1/instances/${encodeURIComponent(id)}/history`),
};

export function startWorker(url, workerId, jobTypes, { parallelism = 1, pollIntervalMs = 100 }, handler) {
  let stopped = false;
  const running = new Set();
  async function run({ leaseToken, ...job }) {
    let path = "complete";
    let report = { workerId, leaseToken };
    try {
      report.variables = (await handler(job)) ?? {};
    } catch (error) {
      path = "fail";
      report = { ...report, errorMessage: error.message, retryable: error.retryable ?? true };
    }
    await send(url, "POST", `/v1/jobs/${job.id}/${path}`, report).catch(console.error);
  }
  async function poll() {
    while (!stopped) {
      const maxJobs = parallelism - running.size;
      const { jobs } = maxJobs ? await send(url, "POST", "/v1/jobs/poll", { workerId, jobTypes, maxJobs }) : { jobs: [] };
      for (const job of jobs) {
        const done = run(job).finally(() => running.delete(done));
        running.add(done);
      }
      await new Promise((resolve) => setTimeout(resolve, pollIntervalMs));
    }
    await Promise.all(running);
  }
  const ended = poll().catch(console.error);
  return { stop: () => ((stopped = true), ended) };
}

export const failure = (message, { retryable = true }) => Object.assign(new Error(message), { retryable });
export const kindOf = (error) => error.code ?? "other";

export const factsOf = ({ retryAfterMs, details }) => ({ retryAfterMs, details });
