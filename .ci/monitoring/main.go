// Says of each object of the Prometheus Operator what is wrong with it, by the types of the operator itself: a JSON array
// of objects on standard input, and one of errors (or null) on standard output.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

func problem(object []byte) error {
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(object, &kind); err != nil {
		return err
	}
	kinds := map[string]any{
		"monitoring.coreos.com/v1 ServiceMonitor": new(monitoring.ServiceMonitor),
		"monitoring.coreos.com/v1 PrometheusRule": new(monitoring.PrometheusRule),
	}
	into, known := kinds[kind.APIVersion+" "+kind.Kind]
	if !known {
		return fmt.Errorf("unknown kind %s %s", kind.APIVersion, kind.Kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func main() {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatal(err)
	}
	problems := make([]*string, len(objects))
	for i, object := range objects {
		if err := problem(object); err != nil {
			text := err.Error()
			problems[i] = &text
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(problems); err != nil {
		log.Fatal(err)
	}
}
