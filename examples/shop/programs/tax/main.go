// A function that answers with the tax on a price, as a Wasm module. Its engine listens; the module is handed the
// listening socket as an open file, and can reach nothing else.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
)

// Percent on goods, by country.
var rates = map[string]int{"AT": 20, "CH": 8, "DE": 19, "FR": 20, "GB": 20}

func tax(w http.ResponseWriter, r *http.Request) {
	rate, known := rates[r.FormValue("country")]
	cents, err := strconv.Atoi(r.FormValue("cents"))
	if !known || err != nil || cents < 0 {
		http.Error(w, "need a known country and cents", http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "{\"rate\": %d, \"tax\": %d}\n", rate, (cents*rate+50)/100)
}

func listener(port string) (net.Listener, error) {
	number, err := strconv.Atoi(os.Getenv("CASEMATE_LISTEN_" + port))
	if err != nil {
		return nil, fmt.Errorf("no open socket for port %s: %w", port, err)
	}
	return net.FileListener(os.NewFile(uintptr(number), "listener"))
}

func main() {
	open, err := listener("8080")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/tax", tax)
	log.Fatal(http.Serve(open, nil))
}
