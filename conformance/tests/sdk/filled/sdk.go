// As little of an SDK as passes `driver check`: two operations and a worker over REST.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const name, version = "tiny", "1"

type client any
type worker interface{ stop() }
type engineError struct {
	code, message string
	facts         object
}
type final struct{ error }

func (e engineError) Error() string { return e.message }

func send(base, method, path string, body object) (object, error) {
	text, _ := json.Marshal(body)
	request, err := http.NewRequest(method, base+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("content-type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said := object{}
	json.NewDecoder(answer.Body).Decode(&said)
	if answer.StatusCode >= http.StatusBadRequest {
		facts := object{}
		if details, there := said["details"]; there {
			facts["details"] = details
		}
		if seconds, err := strconv.Atoi(answer.Header.Get("retry-after")); err == nil {
			facts["retryAfterMs"] = seconds * 1000
		}
		return nil, engineError{said["error"].(string), said["message"].(string), facts}
	}
	return said, nil
}

func connect(transport, base string, options object) (client, error) { return base, nil }

func get(suffix string) func(client, object) (any, error) {
	return func(c client, args object) (any, error) {
		return send(c.(string), "GET", "/v1/instances/"+url.PathEscape(args["id"].(string))+suffix, nil)
	}
}

var operations = map[string]func(c client, args object) (any, error){
	"uploadDefinition": func(c client, args object) (any, error) {
		return send(c.(string), "POST", "/v1/definitions", args["definition"].(object))
	},
	"getInstance":        get(""),
	"getInstanceHistory": get("/history"),
}

type poller struct {
	quit, ended chan struct{}
	once        sync.Once
}

func (p *poller) stop() { p.once.Do(func() { close(p.quit) }); <-p.ended }

func startWorker(c client, workerID string, jobTypes []string, options object, handle handler) (worker, error) {
	made := &poller{quit: make(chan struct{}), ended: make(chan struct{})}
	var running sync.WaitGroup
	room := make(chan struct{}, int(options["parallelism"].(float64)))
	run := func(job object) {
		defer func() { <-room; running.Done() }()
		path, report := "/complete", object{"workerId": workerID, "leaseToken": job["leaseToken"]}
		variables, err := handle(job)
		if err != nil {
			var f final
			path, report["errorMessage"], report["retryable"] = "/fail", err.Error(), !errors.As(err, &f)
		} else if variables != nil {
			report["variables"] = variables
		}
		send(c.(string), "POST", "/v1/jobs/"+job["id"].(string)+path, report)
	}
	go func() {
		defer close(made.ended)
		for {
			select {
			case <-made.quit:
				running.Wait()
				return
			case <-time.After(20 * time.Millisecond):
			}
			if free := cap(room) - len(room); free > 0 {
				poll := object{"workerId": workerID, "jobTypes": jobTypes, "maxJobs": free}
				said, _ := send(c.(string), "POST", "/v1/jobs/poll", poll)
				jobs, _ := said["jobs"].([]any)
				for _, job := range jobs {
					room <- struct{}{}
					running.Add(1)
					go run(job.(object))
				}
			}
		}
	}()
	return made, nil
}

func failure(message string, wanted object) error {
	if wanted["retryable"] == false {
		return final{errors.New(message)}
	}
	return errors.New(message)
}

func kindOf(err error) string {
	var refused engineError
	if errors.As(err, &refused) {
		return refused.code
	}
	return "other"
}

func factsOf(err error) object {
	var refused engineError
	if errors.As(err, &refused) {
		return refused.facts
	}
	return nil
}
