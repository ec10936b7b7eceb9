package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
)

const longestLine = 16 << 20

func main() {
	commands = map[string]func(object) (any, error){
		"hello":        hello,
		"connect":      open,
		"call":         call,
		"worker.start": start,
		"job.reply":    reply,
		"worker.stop":  stop,
		"reset":        reset,
		"bye":          func(object) (any, error) { return nil, nil },
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		var asked object
		if json.Unmarshal(lines.Bytes(), &asked) == nil {
			go answer(asked)
		}
	}
}

func answer(asked object) {
	command, there := commands[asked["command"].(string)]
	if !there {
		command = func(object) (any, error) { return nil, refused{"unsupported", "there is no such command"} }
	}
	result, err := command(asked)
	switch problem := err.(type) {
	case nil:
		if text, _ := json.Marshal(result); string(text) == "null" { // a nil map in an any is not nil
			result = object{}
		}
		say(object{"re": asked["seq"], "result": result})
	case refused:
		say(object{"re": asked["seq"], "error": object{"kind": problem.kind, "message": problem.message}})
	default:
		told := object{"kind": kindOf(err), "message": err.Error()}
		maps.Copy(told, factsOf(err))
		say(object{"re": asked["seq"], "error": told})
	}
	if asked["command"] == "bye" {
		os.Exit(0)
	}
}

func hello(object) (any, error) {
	return object{"protocol": "wf-driver/1", "sdk": name, "version": version}, nil
}

func open(asked object) (any, error) {
	options, _ := asked["options"].(object)
	made, err := connect(asked["transport"].(string), asked["url"].(string), options)
	if err == nil {
		clients.Store(asked["id"], made)
	}
	return nil, err
}

func reply(asked object) (any, error) {
	found, there := waiting.LoadAndDelete(asked["token"])
	if !there {
		return nil, nobody
	}
	found.(chan object) <- asked
	return nil, nil
}

func reset(object) (any, error) {
	workers.Range(func(id, _ any) bool {
		stop(object{"id": id, "mode": "now"})
		return true
	})
	clients.Clear()
	return nil, nil
}
