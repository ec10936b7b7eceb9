// Command driver speaks wf-driver/1 on standard input and output. What knows the SDK is in sdk.go.
package main

import (
	"encoding/json"
	"maps"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

type object = map[string]any
type handler = func(job object) (object, error)
type refused struct{ kind, message string }
type running struct {
	worker   worker
	stopping chan struct{} // closed when waiting handlers are to throw
}

func (r refused) Error() string { return r.message }

var clients, workers, waiting sync.Map // by id; by id; token -> the channel that a handler waits on
var tokens atomic.Int64
var writing sync.Mutex
var nobody = refused{"unknown", "there is no such client, worker or token"}
var commands map[string]func(asked object) (any, error)

func say(line object) {
	writing.Lock()
	defer writing.Unlock()
	json.NewEncoder(os.Stdout).Encode(line)
}

func handle(id any, stopping chan struct{}, job object) (object, error) {
	token, reply := strconv.FormatInt(tokens.Add(1), 10), make(chan object, 1)
	waiting.Store(token, reply)
	defer waiting.Delete(token)
	shown := maps.Clone(job) // the SDK needs its own whole
	delete(shown, "leaseToken")
	say(object{"event": "job", "worker": id, "token": token, "job": shown})
	wanted := object{"action": "throw", "message": "stopped now"}
	select {
	case wanted = <-reply:
	case <-stopping:
	}
	message, _ := wanted["message"].(string)
	switch wanted["action"] {
	case "return":
		variables, _ := wanted["variables"].(object)
		return variables, nil
	case "fail":
		return nil, failure(message, wanted)
	case "hang":
		select {}
	}
	return nil, refused{"other", message}
}

func call(asked object) (any, error) {
	found, there := clients.Load(asked["client"])
	if !there {
		return nil, nobody
	}
	operation, there := operations[asked["op"].(string)]
	if !there {
		return nil, refused{"unsupported", "this SDK has no such operation"}
	}
	return operation(found.(client), asked["args"].(object))
}

func start(asked object) (any, error) {
	found, there := clients.Load(asked["client"])
	if !there {
		return nil, nobody
	}
	id, stopping, types, options := asked["id"], make(chan struct{}), []string{}, object{}
	for _, each := range asked["jobTypes"].([]any) {
		types = append(types, each.(string))
	}
	if given, there := asked["options"].(object); there {
		options = given
	}
	serve := func(job object) (object, error) { return handle(id, stopping, job) }
	made, err := startWorker(found.(client), asked["workerId"].(string), types, options, serve)
	if err == nil {
		workers.Store(id, running{made, stopping})
	}
	return nil, err
}

func stop(asked object) (any, error) {
	found, there := workers.Load(asked["id"])
	if !there {
		return nil, nobody
	}
	if asked["mode"] == "now" {
		close(found.(running).stopping)
	}
	found.(running).worker.stop()
	workers.Delete(asked["id"])
	return nil, nil
}
