// Renders conversations as Ollama does, with Go's own text/template: a JSON list of {template, messages} in, texts out.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type turn struct{ Role, Content string }

type job struct {
	Template string
	Messages []turn
}

func merged(turns []turn) (string, []*turn) {
	var system []string
	var out []*turn
	for i := range turns {
		if turns[i].Role == "system" {
			system = append(system, turns[i].Content)
		}
		if len(out) > 0 && out[len(out)-1].Role == turns[i].Role {
			out[len(out)-1].Content += "\n\n" + turns[i].Content
		} else {
			out = append(out, &turns[i])
		}
	}
	return strings.Join(system, "\n\n"), out
}

func main() {
	var jobs []job
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil {
		panic(err)
	}
	texts := []string{}
	for _, j := range jobs {
		var b strings.Builder
		system, turns := merged(j.Messages)
		data := map[string]any{"System": system, "Messages": turns, "Response": ""}
		err := template.Must(template.New("").Option("missingkey=zero").Parse(j.Template)).Execute(&b, data)
		if err != nil {
			panic(err)
		}
		texts = append(texts, b.String())
	}
	json.NewEncoder(os.Stdout).Encode(texts)
}
