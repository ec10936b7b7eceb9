// What the driver needs of your SDK. Fill in one thing after the other, and claim it in driver.toml when it works.
package main

import "errors"

const name, version = "my-sdk", "0.0.0"

// client is a client of your SDK.
type client any

// worker is a worker of your SDK. stop returns when it has drained and ended.
type worker interface{ stop() }

// connect makes a client. url is http://HOST:PORT over rest, HOST:PORT over grpc; options may have timeoutMs and token.
func connect(transport, url string, options object) (client, error) {
	return url, nil
}

// operations says what calls an operation of openapi.yaml. args have REST's names, and so has the result; wrap a bare
// list as REST does: {items: [...]}, {jobs: [...]}. For example:
//
//	"getInstance": func(c client, args object) (any, error) { return c.(*sdk.Client).GetInstance(args["id"]) },
var operations = map[string]func(c client, args object) (any, error){}

// startWorker starts a worker with one handler for all job types: it returns the variables or an error.
func startWorker(c client, workerID string, jobTypes []string, options object, handle handler) (worker, error) {
	return nil, errors.New("this driver cannot start workers yet")
}

// failure is the error that a handler returns so that the SDK fails the job as wanted: retryable, code, retryAfterMs.
func failure(message string, wanted object) error {
	return errors.New(message)
}

// kindOf names an error of the SDK: a code or kind of errors.yaml, unreachable, unsendable, not-offered or other.
func kindOf(err error) string {
	return "other"
}

// factsOf says what else an error of the SDK knows: retryAfterMs, how long the engine asked to wait, and details, the
// engine's list of what is wrong. Claim retry-after and error-details when they arrive; leave out what an error lacks.
func factsOf(err error) object {
	return object{}
}
