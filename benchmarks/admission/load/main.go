// Load over HTTPS: so many kept connections, each of which sends its next request when the last one was answered, at
// once or after a pause.
// Requests are lines of JSON in a file; what every answer says is compared with what it must say.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// call is one request. Must is allow, change or deny.
type call struct {
	Path string          `json:"path"`
	Must string          `json:"must"`
	Body json.RawMessage `json:"body"`
}

type report struct {
	Answers int      `json:"answers"`
	Seconds float64  `json:"seconds"`
	P50     float64  `json:"p50"`
	P99     float64  `json:"p99"`
	Wrong   int      `json:"wrong"`
	Failed  int      `json:"failed"`
	Samples []string `json:"samples"`
}

var (
	denied  = []byte(`"allowed":false`)
	allowed = []byte(`"allowed":true`)
	patched = []byte(`"patch":"`)
	emptied = []byte(`"patch":"W10="`) // an empty list
	refused = []byte("denied the request")
	gvisor  = []byte(`"runtimeClassName":"gvisor"`)
)

func main() {
	url := flag.String("url", "", "where to send them")
	file := flag.String("calls", "", "the requests")
	token := flag.String("token", "", "a bearer token")
	connections := flag.Int("connections", 8, "how many")
	seconds := flag.Float64("seconds", 5, "how long")
	pause := flag.Duration("pause", 0, "how long each connection waits before its next request")
	flag.Parse()
	calls := read(*file)
	until := time.Now().Add(time.Duration(*seconds * float64(time.Second)))
	began := time.Now()
	var next atomic.Int64
	var together sync.WaitGroup
	workers := make([]worker, *connections)
	for number := range workers {
		each := &workers[number]
		each.url, each.token, each.client = *url, *token, client()
		together.Go(func() {
			for time.Now().Before(until) {
				each.send(&calls[int(next.Add(1))%len(calls)])
				time.Sleep(*pause)
			}
		})
	}
	together.Wait()
	json.NewEncoder(os.Stdout).Encode(summed(workers, time.Since(began)))
}

// client has one connection of its own, of HTTP/1.1, which all webhooks speak.
func client() *http.Client {
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		MaxConnsPerHost:    1,
		DisableCompression: true,
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func read(file string) []call {
	found := []call{}
	opened, err := os.Open(file)
	if err != nil {
		panic(err)
	}
	defer opened.Close()
	lines := bufio.NewReader(opened)
	decoder := json.NewDecoder(lines)
	for {
		var each call
		if err := decoder.Decode(&each); err == io.EOF {
			return found
		} else if err != nil {
			panic(err)
		}
		found = append(found, each)
	}
}

type worker struct {
	url, token    string
	client        *http.Client
	took          []time.Duration
	wrong, failed int
	samples       []string
}

func (w *worker) send(each *call) {
	request, err := http.NewRequest("POST", w.url+each.Path, bytes.NewReader(each.Body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if w.token != "" {
		request.Header.Set("Authorization", "Bearer "+w.token)
	}
	began := time.Now()
	answer, err := w.client.Do(request)
	if err != nil {
		w.failed++
		w.sample(err.Error())
		return
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	w.took = append(w.took, time.Since(began))
	if said := verdict(answer.StatusCode, body); said != each.Must {
		w.wrong++
		w.sample(fmt.Sprintf("%s: must %s, says %s: %d %.600s", each.Path, each.Must, said, answer.StatusCode, body))
	}
}

func (w *worker) sample(text string) {
	if len(w.samples) < 2 {
		w.samples = append(w.samples, text)
	}
}

// verdict reads the answer of a webhook, or that of the API server: 201, or the status that the webhook chose.
func verdict(status int, body []byte) string {
	switch {
	case bytes.Contains(body, denied), status >= 400 && bytes.Contains(body, refused):
		return "deny"
	case status == 201 && bytes.Contains(body, gvisor):
		return "change"
	case status == 201:
		return "allow"
	case status != 200 || !bytes.Contains(body, allowed):
		return "nothing"
	case bytes.Contains(body, patched) && !bytes.Contains(body, emptied):
		return "change"
	}
	return "allow"
}

func summed(workers []worker, took time.Duration) report {
	made := report{Seconds: took.Seconds(), Samples: []string{}}
	all := []time.Duration{}
	for _, each := range workers {
		all = append(all, each.took...)
		made.Wrong += each.wrong
		made.Failed += each.failed
		made.Samples = append(made.Samples, each.samples...)
	}
	slices.Sort(all)
	made.Answers = len(all)
	if len(all) > 0 {
		made.P50, made.P99 = milliseconds(all[len(all)/2]), milliseconds(all[len(all)*99/100])
	}
	return made
}

func milliseconds(took time.Duration) float64 { return float64(took.Microseconds()) / 1000 }
